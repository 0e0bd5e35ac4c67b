// Models: for each one its description, measured quality, figures and live measurements.

import { ask, askJson, patiently } from "./api.js";
import { isMarked, loadModels } from "./choices.js";
import { byId, facts, make, percent, report } from "./dom.js";
import { showModel, showService } from "./live.js";
import { History, readMetrics } from "./metrics.js";

const EVERY_MS = 2000;
let timer = null;
let turn = 0;
let listed = "";

export function prepare() {}

export async function enter() {
  leave();
  const mine = turn;
  try {
    const models = await loadModels();
    if (mine !== turn) return;
    show(models);
    await refresh(models, new History(), mine);
  } catch (error) {
    const again = () => enter().then(() => report(null), report);
    if (mine === turn && error.status === 0) timer = setTimeout(again, EVERY_MS); // the service may be running again by then
    throw error;
  }
}

export function leave() {
  turn += 1;
  clearTimeout(timer);
}

/** The cards, the default version of each model first; they stay as they are where nothing has changed. */
function show(models) {
  const ids = JSON.stringify(models.map((model) => [model.id, model.created, isMarked(model)]));
  if (ids === listed) return;
  listed = ids;
  const sorted = [...models].sort((one, other) => one.name.localeCompare(other.name) || other.isDefault - one.isDefault || other.version - one.version);
  byId("cards").replaceChildren(...sorted.map(card));
}

function card(model) {
  const { input } = model;
  return make(
    "article",
    { class: "card" },
    make("h2", {}, `${model.name}, version ${model.version}`, isMarked(model) ? make("span", { class: "badge" }, "default") : null),
    facts([
      ["Accuracy", accuracy(model)],
      ["Calibration error", model.expected_calibration_error === null ? "not measured" : percent(model.expected_calibration_error, 2)],
      ["Runs on", model.provider.toUpperCase() + (model.loaded ? "" : ", will be loaded at the first request")],
    ]),
    make("h3", {}, "Now"),
    make("div", { "data-live": model.id }, make("p", { class: "quiet" }, "Waiting for the first measurements…")),
    make(
      "details",
      {},
      make("summary", {}, "About this model"),
      facts([
        ["Labels", `${model.labels.length}: ${model.labels.slice(0, 5).join(", ")}${model.labels.length > 5 ? ", …" : ""}`],
        ["Multi-label", model.multi_label ? "yes: the probabilities are independent" : "no: each picture has one label"],
        ["Input", `${input.width} × ${input.height} pixels, ${input.color_mode === "RGB" ? "colour" : "grey"}, ${FITS[input.fit] ?? input.fit}`],
        ["Training data", model.data],
        ["Licence", model.licence],
        ["Citation", model.citation],
        ["Created", model.created.slice(0, 10)],
      ]),
    ),
    figures(model),
  );
}

const FITS = {
  cover: "resized and cropped to the centre",
  contain: "resized and padded to this aspect ratio",
  stretch: "stretched to this aspect ratio",
  "shortest-edge": "shorter side resized, then cropped to the centre",
};

/** The accuracy with its 95 % interval, or that it was not measured. */
function accuracy({ accuracy: share, accuracy_interval: interval, test_images: count }) {
  if (share === null) return "not measured";
  const [low, high] = interval.map((one) => percent(one, 2));
  return `${percent(share, 2)} (${low} to ${high}) of ${count.toLocaleString("en")} test images`;
}

/** The figures beside the model's file; they are loaded when the user opens them. */
function figures(model) {
  const place = make("div", { class: "figures" });
  const path = `models/${model.name}/versions/${model.version}/figures`;
  async function load() {
    place.replaceChildren(make("p", { class: "quiet" }, "Loading…"));
    const { figures } = await askJson(path);
    const shown = await Promise.all(figures.map((one) => figure(`${path}/${one.name}`, one.title)));
    place.replaceChildren(...(shown.length ? shown : [make("p", { class: "quiet" }, "This model has no figures.")]));
  }
  const toggle = (event) => {
    if (!event.target.open || place.querySelector("figure")) return;
    load().catch((error) => {
      place.replaceChildren();
      event.target.open = false;
      report(error);
    });
  };
  return make("details", { toggle }, make("summary", {}, "Figures of training and test"), place);
}

async function figure(path, title) {
  const answer = await patiently(() => ask(path, { accept: "image/png" }));
  const address = URL.createObjectURL(await answer.blob());
  const free = (event) => URL.revokeObjectURL(event.target.src);
  return make("figure", {}, make("img", { src: address, alt: title, load: free }), make("figcaption", {}, title));
}

async function refresh(models, history, mine) {
  let problem = null;
  try {
    history.add(await readMetrics());
  } catch (error) {
    problem = error;
  }
  if (mine !== turn) return;
  if (!problem && history.hasOtherModels) return enter().catch(report);
  const isRefused = problem?.status === 403;
  const reason = isRefused ? "This API key does not allow reading the metrics, so there are no live measurements." : problem?.message;
  const tell = (text, show) => (problem ? [make("p", { class: "quiet" }, text)] : show());
  byId("service-now").replaceChildren(...tell(reason, () => showService(history)));
  for (const model of models) {
    const place = document.querySelector(`[data-live="${CSS.escape(model.id)}"]`);
    place?.replaceChildren(...tell("No live measurements.", () => showModel(history, model)));
  }
  // The service may answer again later; but a key that was refused will be refused again.
  if (!isRefused) timer = setTimeout(() => refresh(models, history, mine), EVERY_MS);
}
