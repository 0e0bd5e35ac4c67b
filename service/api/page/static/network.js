// See the network: its layers, and their outputs for the picture that was tried last, or for the first sample.

import { patiently, query, send } from "./api.js";
import { chosen } from "./choices.js";
import { byId, make, report } from "./dom.js";
import { lastPicture, sample } from "./trial.js";

const KERNEL_TIMES = 10;
let turn = 0;

export function prepare() {
  byId("network-model").addEventListener("change", () => {
    report(null);
    enter().catch(report);
  });
}

export async function enter() {
  const model = chosen("network-model");
  if (!model) return;
  const mine = ++turn;
  byId("network-status").textContent = "Loading the layers…";
  try {
    const picture = lastPicture() ?? (await patiently(() => sample(model, 0)));
    const look = await (await send(`layers${query(model)}`, picture)).json();
    if (mine !== turn) return;
    const stages = make("div", { class: "stages" }, kernels(look.kernels), ...look.layers.map(stage));
    byId("layers").replaceChildren(...look.notes.map(note), summary(look), look.layers.some((layer) => layer.maps) ? shown(picture) : "", stages);
    byId("network-status").textContent = `${look.layers.length} ${look.layers.length === 1 ? "layer" : "layers"} of ${model.name}, version ${model.version}.`;
  } catch (error) {
    if (mine !== turn) return;
    byId("network-status").textContent = "";
    byId("layers").replaceChildren();
    throw error;
  }
}

const note = (text) => make("p", { class: "quiet" }, text);

/** The picture for which the outputs are shown. */
function shown(picture) {
  const free = (event) => URL.revokeObjectURL(event.target.src);
  const image = make("img", { src: URL.createObjectURL(picture), alt: "", load: free, error: (event) => event.target.remove() });
  return make("p", { class: "row shown" }, image, make("span", {}, "Outputs of the layers for this picture:"));
}

const volume = (shape) => (shape.length === 3 ? `${shape[0]} × ${shape[1]} × ${shape[2]}` : shape.join(" × "));
const count = (number) => number.toLocaleString("en");
const title = (layer) => [layer.kind, ...layer.then].join(", ");

function summary({ layers }) {
  if (!layers.length) return "";
  const row = (layer, index) =>
    make(
      "tr",
      {},
      make("td", { class: "number" }, String(index + 1)),
      make("td", {}, title(layer)),
      make("td", {}, volume(layer.input)),
      make("td", {}, volume(layer.output)),
      make("td", {}, layer.formula ?? ""),
      make("td", { class: "number" }, count(layer.parameters)),
    );
  const heads = ["", "Layer", "Input", "Output", "Output width: (W − F + 2P) / S + 1", "Parameters"];
  const total = layers.reduce((sum, layer) => sum + layer.parameters, 0);
  const table = make(
    "table",
    {},
    make("caption", {}, `Inputs and outputs are channels × height × width; ${count(total)} parameters in total.`),
    make("thead", {}, make("tr", {}, ...heads.map((head) => (head ? make("th", { scope: "col" }, head) : make("td"))))),
    make("tbody", {}, ...layers.map(row)),
  );
  return make("div", { class: "wide", tabindex: "0", role: "region", "aria-label": "Layers" }, table);
}

function kernels(found) {
  if (!found) return "";
  const [channels, height, width] = found.shape;
  const image = make("img", { src: found.image, class: "mosaic", alt: `${found.shown} kernels of the first convolution` });
  image.addEventListener("load", () => (image.style.width = `${image.naturalWidth * KERNEL_TIMES}px`), { once: true });
  const text = `${found.shown} of ${found.count} kernels, each ${channels} × ${height} × ${width}; middle grey is a weight of 0.`;
  return make("article", { class: "card" }, make("h2", {}, "Kernels of the first convolution"), make("figure", {}, image, make("figcaption", {}, text)));
}

function stage(layer, index) {
  if (!layer.maps) return "";
  const image = make("img", { src: layer.maps.image, class: "mosaic", alt: `${layer.maps.shown} feature maps after layer ${index + 1}` });
  const text = `${layer.maps.shown} of ${layer.output[0]} feature maps, ${layer.output[1]} × ${layer.output[2]} each; white is the highest value of each map.`;
  return make("article", { class: "card" }, make("h2", {}, `After layer ${index + 1}: ${title(layer)}`), make("figure", {}, image, make("figcaption", {}, text)));
}
