// The answer for one picture: bars, the input of the network, time by stage, and the explanation.

import { isOfOneModel, patiently, query, send, timing } from "./api.js";
import { bars, headline, warnings } from "./bars.js";
import { facts, make } from "./dom.js";
import { original } from "./original.js";
import { why } from "./why.js";

const SIDE = 240;

/** Classifies one picture with one model or two; returns what to show, its summary as nodes, and the picture. */
export async function showOne(file, model, { other, signal } = {}) {
  const answers = [];
  for (const one of other && other.id !== model.id ? [model, other] : [model]) answers.push(await classify(file, one, signal));
  if (answers.every(({ error }) => error)) throw answers[0].error;
  const cards = await Promise.all(answers.map((answer, index) => card(file, answer, index > 0, signal)));
  const summary = answers.flatMap(({ model, prediction }, index) => [
    `${index ? "; " : ""}${model.name} ${model.version}: `,
    ...(prediction ? headline(prediction) : ["no answer"]),
  ]);
  return { element: make("div", { class: cards.length > 1 ? "answers two" : "answers" }, ...cards), summary, picture: file };
}

/** The prediction of a model, or its error, which does not concern another model. */
async function classify(file, model, signal) {
  let started;
  try {
    const answer = await patiently(() => {
      started = performance.now();
      return send(`predict${query(model, { probabilities: "all", ...(model.familiarity && { familiarity: true }) })}`, file, { signal });
    }, signal);
    const { predictions } = await answer.json();
    return { model, prediction: predictions[0], stages: timing(answer), total: performance.now() - started };
  } catch (error) {
    if (!isOfOneModel(error)) throw error;
    return { model, error };
  }
}

async function card(file, { model, prediction, error, stages, total }, isOther, signal) {
  const name = `${model.name}, version ${model.version}`;
  if (error) return make("article", { class: "card" }, make("h2", {}, name), make("p", { class: "problem" }, error.message));
  return make(
    "article",
    { class: "card" },
    make("h2", {}, `${name}: `, ...headline(prediction)),
    warnings(prediction),
    make(
      "div",
      { class: "pair" },
      make("div", {}, bars(prediction, isOther), ...times(stages, total)),
      make("div", {}, ...(await pictures(file, model, prediction, signal))),
    ),
  );
}

/** The picture, the input of the network, and the explanation; without the input, the reason for that. */
async function pictures(file, model, prediction, signal) {
  let seen;
  try {
    seen = await (await patiently(() => send(`preprocess${query(model)}`, file, { signal }), signal)).json();
  } catch (error) {
    if (!isOfOneModel(error)) throw error;
    return [make("p", { class: "quiet" }, `The input of the network cannot be shown. ${error.message}`)];
  }
  const both = make("div", { class: "pictures" }, await original(file, seen, model, shownSide(seen)), input(seen));
  return [both, why(file, model, prediction, seen)];
}

/** Time by stage; nothing behind a proxy that removes the header Server-Timing. */
function times(stages, total) {
  if (stages.inference === undefined) return [];
  const list = facts([
    ["Decode", milliseconds(stages.decode)],
    ["Wait for a batch", milliseconds(stages.queue)],
    ["Inference", milliseconds(stages.inference)],
    ["Transfer and browser", milliseconds(total - stages.decode - stages.queue - stages.inference)],
    ["Images in its batch", stages.batch],
  ]);
  return [make("h3", {}, "Time by stage"), list];
}

const milliseconds = (number) => `${Math.max(0, number).toFixed(2)} ms`;

const scale = (seen) => Math.max(1, Math.floor(SIDE / Math.max(seen.input.width, seen.input.height)));
const shownSide = (seen) => scale(seen) * Math.max(seen.input.width, seen.input.height);

function input(seen) {
  const factor = scale(seen);
  const image = make("img", {
    src: seen.image,
    class: "seen",
    alt: "The input of the network",
    width: seen.input.width * factor,
    height: seen.input.height * factor,
  });
  const enlarged = factor > 1 ? `, shown ${factor} times as large` : "";
  const text = `Input of the network: ${seen.input.width} × ${seen.input.height} pixels${enlarged}.`;
  return make("figure", {}, image, make("figcaption", {}, text));
}
