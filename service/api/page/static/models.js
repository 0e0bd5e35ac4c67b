// Models: what each one is, what was measured of it, and what it does now, from the service's metrics.

import { ask } from "./api.js";
import { loadModels } from "./choices.js";
import { byId, facts, make, percent } from "./dom.js";

const EVERY_MS = 2000;
let timer = null;
let before = null;

export function prepare() {}

export async function enter() {
  const models = await loadModels();
  byId("cards").replaceChildren(...models.map(card));
  before = null;
  await refresh(models);
}

export function leave() {
  clearTimeout(timer);
}

function card(model) {
  const { input } = model;
  return make(
    "article",
    { class: "card" },
    make("h2", {}, `${model.name}, version ${model.version}`),
    model.isDefault ? make("p", { class: "quiet" }, "Answers where no version is named.") : null,
    facts([
      ["Accuracy", accuracy(model)],
      ["Calibration error", model.expected_calibration_error === null ? "not measured" : percent(model.expected_calibration_error, 2)],
      ["Labels", `${model.labels.length}: ${model.labels.slice(0, 4).join(", ")}${model.labels.length > 4 ? ", …" : ""}`],
      ["Input", `${input.width} × ${input.height}, ${input.color_mode === "RGB" ? "colour" : "grey"}, ${input.fit}`],
      ["Runs on", model.provider],
      ["Learned from", model.data],
      ["Licence", model.licence],
      ["Made", model.created.slice(0, 10)],
    ]),
    make("h3", {}, "Now"),
    make("div", { "data-live": model.id }, make("p", { class: "quiet" }, "Waiting for the first figures…")),
  );
}

/** The accuracy with its 95 % interval, or that it was not measured. */
function accuracy({ accuracy: share, accuracy_interval: interval, test_images: count }) {
  if (share === null) return "not measured";
  const [low, high] = interval.map((one) => percent(one, 2));
  return `${percent(share, 2)} (${low} to ${high}) of ${count.toLocaleString("en")} test images`;
}

async function refresh(models) {
  clearTimeout(timer);
  let now;
  try {
    now = read(await (await ask("metrics", { accept: "text/plain" })).text());
  } catch (error) {
    const text = error.status === 403 ? "This key may not read the metrics, so there are no live figures." : error.message;
    for (const place of document.querySelectorAll("[data-live]")) place.replaceChildren(make("p", { class: "quiet" }, text));
    return;
  }
  for (const model of models) {
    const place = document.querySelector(`[data-live="${CSS.escape(model.id)}"]`);
    if (place) place.replaceChildren(live(now, before ?? now, `model="${model.name}",version="${model.version}"`));
  }
  before = now;
  timer = setTimeout(() => refresh(models), EVERY_MS);
}

/** The samples of Prometheus' text format, by name and labels, and when they were read. */
function read(text) {
  const samples = new Map();
  for (const line of text.split("\n")) {
    const at = line.lastIndexOf(" ");
    if (at > 0 && line[0] !== "#") samples.set(line.slice(0, at), Number(line.slice(at + 1)));
  }
  return { samples, time: performance.now() };
}

function live(now, then, labels) {
  const get = (page, name) => page.samples.get(`convoy_${name}{${labels}}`) ?? 0;
  const seconds = (now.time - then.time) / 1000;
  const grown = (name) => get(now, name) - get(then, name);
  const mean = (name, factor = 1) => {
    const page = grown(`${name}_count`) > 0 ? grown : (one) => get(now, one);
    return page(`${name}_count`) > 0 ? (factor * page(`${name}_sum`)) / page(`${name}_count`) : null;
  };
  const shown = (value, unit, digits = 2) => (value === null ? "no requests yet" : `${value.toFixed(digits)} ${unit}`);
  return facts([
    ["Requests", `${get(now, "classified_requests_total").toLocaleString("en")} so far`],
    ["Requests a second", seconds > 0 ? (grown("classified_requests_total") / seconds).toFixed(1) : "…"],
    ["Mean wait for a batch", shown(mean("queue_seconds", 1000), "ms")],
    ["Mean run", shown(mean("inference_seconds", 1000), "ms")],
    ["Mean images in a batch", shown(mean("batch_size"), "", 1)],
    ["In the queue now", get(now, "queue_images")],
  ]);
}
