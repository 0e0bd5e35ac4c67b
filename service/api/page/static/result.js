// The answer for one picture: bars, the input of the network, time by stage, and the explanation.

import { patiently, query, send, timing } from "./api.js";
import { bars, headline, warnings } from "./bars.js";
import { facts, make } from "./dom.js";
import { original } from "./original.js";
import { why } from "./why.js";

const SIDE = 240;

/** Classifies one picture with one model or two; returns what to show, its summary as nodes, and the picture. */
export async function showOne(file, model, { other, signal } = {}) {
  const answers = [await classify(file, model, signal)];
  if (other && other.id !== model.id) answers.push(await classify(file, other, signal));
  const cards = await Promise.all(answers.map((answer, index) => card(file, answer, index > 0, signal)));
  const summary = answers.flatMap(({ model, prediction }, index) => [
    `${index ? "; " : ""}${model.name} ${model.version}: `,
    ...headline(prediction),
  ]);
  return { element: make("div", { class: cards.length > 1 ? "answers two" : "answers" }, ...cards), summary, picture: file };
}

async function classify(file, model, signal) {
  let started;
  const answer = await patiently(() => {
    started = performance.now();
    return send(`predict${query(model, { probabilities: "all" })}`, file, { signal });
  }, signal);
  const { predictions } = await answer.json();
  return { model, prediction: predictions[0], stages: timing(answer), total: performance.now() - started };
}

async function card(file, { model, prediction, stages, total }, isOther, signal) {
  const seen = await (await send(`preprocess${query(model)}`, file, { signal })).json();
  const pictures = make("div", { class: "pictures" }, await original(file, seen, model, shownSide(seen)), input(seen));
  const times = facts([
    ["Decode", milliseconds(stages.decode)],
    ["Wait for a batch", milliseconds(stages.queue)],
    ["Inference", milliseconds(stages.inference)],
    ["Transfer and browser", milliseconds(total - stages.decode - stages.queue - stages.inference)],
    ["Images in its batch", stages.batch],
  ]);
  return make(
    "article",
    { class: "card" },
    make("h2", {}, `${model.name}, version ${model.version}: `, ...headline(prediction)),
    warnings(prediction),
    make(
      "div",
      { class: "pair" },
      make("div", {}, bars(prediction, isOther), make("h3", {}, "Time by stage"), times),
      make("div", {}, pictures, why(file, model, prediction, seen)),
    ),
  );
}

const milliseconds = (number) => `${Math.max(0, number).toFixed(2)} ms`;

const times = (seen) => Math.max(1, Math.floor(SIDE / Math.max(seen.input.width, seen.input.height)));
const shownSide = (seen) => times(seen) * Math.max(seen.input.width, seen.input.height);

function input(seen) {
  const factor = times(seen);
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
