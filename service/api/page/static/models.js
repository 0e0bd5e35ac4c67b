// Models: what each one is, what was measured of it, its figures, and what it does now.

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
    if (mine === turn && error.status === 0) timer = setTimeout(again, EVERY_MS); // the service may come back
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
      ["Runs on", model.provider.toUpperCase() + (model.loaded ? "" : ", loaded at its first request")],
    ]),
    make("h3", {}, "Now"),
    make("div", { "data-live": model.id }, make("p", { class: "quiet" }, "Waiting for the first figures…")),
    make(
      "details",
      {},
      make("summary", {}, "About this model"),
      facts([
        ["Labels", `${model.labels.length}: ${model.labels.slice(0, 5).join(", ")}${model.labels.length > 5 ? ", …" : ""}`],
        ["Several labels", model.multi_label ? "yes: each probability stands for itself" : "no: one label is right"],
        ["Input", `${input.width} × ${input.height} pixels, ${input.color_mode === "RGB" ? "colour" : "grey"}, ${FITS[input.fit] ?? input.fit}`],
        ["Learned from", model.data],
        ["Licence", model.licence],
        ["To cite", model.citation],
        ["Made", model.created.slice(0, 10)],
      ]),
    ),
    figures(model),
  );
}

const FITS = {
  cover: "the middle is cut out",
  contain: "with a border where the shape differs",
  stretch: "stretched to that shape",
  "shortest-edge": "shorter side resized, then the middle is cut out",
};

/** The accuracy with its 95 % interval, or that it was not measured. */
function accuracy({ accuracy: share, accuracy_interval: interval, test_images: count }) {
  if (share === null) return "not measured";
  const [low, high] = interval.map((one) => percent(one, 2));
  return `${percent(share, 2)} (${low} to ${high}) of ${count.toLocaleString("en")} test images`;
}

/** The figures beside the model's file, which are asked for once somebody wants to see them. */
function figures(model) {
  const place = make("div", { class: "figures" });
  const path = `models/${model.name}/versions/${model.version}/figures`;
  async function load() {
    place.replaceChildren(make("p", { class: "quiet" }, "Loading…"));
    const { figures } = await askJson(path);
    const shown = await Promise.all(figures.map((one) => figure(`${path}/${one.name}`, one.title)));
    place.replaceChildren(...(shown.length ? shown : [make("p", { class: "quiet" }, "No figures lie beside this model's file.")]));
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
  const reason = isRefused ? "This key may not read the metrics, so there are no live figures." : problem?.message;
  const tell = (text, show) => (problem ? [make("p", { class: "quiet" }, text)] : show());
  byId("service-now").replaceChildren(...tell(reason, () => showService(history)));
  for (const model of models) {
    const place = document.querySelector(`[data-live="${CSS.escape(model.id)}"]`);
    place?.replaceChildren(...tell("No live figures.", () => showModel(history, model)));
  }
  // A service that does not answer may come back; a key does not get more rights.
  if (!isRefused) timer = setTimeout(() => refresh(models, history, mine), EVERY_MS);
}
