// Try: pictures come in by drop, paste, choice, camera or click on a sample; answers go out as bars or as a table.

import { ask, query } from "./api.js";
import { chosen } from "./choices.js";
import { byId, make } from "./dom.js";
import { showMany } from "./grid.js";
import { showOne } from "./result.js";

let pictures = [];
let turn = 0;
let sampled = "";

/** The picture that was tried last; null where there was none. */
export const lastPicture = () => pictures[0] ?? null;

export function prepare() {
  for (const id of ["files", "photo"]) {
    byId(id).addEventListener("change", (event) => {
      take([...event.target.files]);
      event.target.value = "";
    });
  }
  for (const id of ["model", "beside"]) byId(id).addEventListener("change", refresh);
  const drop = byId("drop");
  for (const name of ["dragenter", "dragover", "dragleave", "drop"]) {
    drop.addEventListener(name, (event) => {
      event.preventDefault();
      drop.classList.toggle("over", name === "dragenter" || name === "dragover");
    });
  }
  drop.addEventListener("drop", (event) => take([...event.dataTransfer.files]));
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length && !byId("try").hidden) take(files);
  });
}

export async function enter() {
  await showSamples();
}

async function refresh() {
  await guard(showSamples);
  if (pictures.length) await take(pictures);
}

/** Runs something, and tells of what goes wrong. */
async function guard(work) {
  try {
    await work();
  } catch (error) {
    document.dispatchEvent(new CustomEvent("problem", { detail: error }));
  }
}

async function showSamples() {
  const model = chosen("model");
  if (!model || sampled === model.id) return;
  sampled = model.id;
  const numbers = [...Array(Math.min(model.samples, 24)).keys()];
  const buttons = await Promise.all(numbers.map((number) => sampleButton(model, number)));
  byId("samples").replaceChildren(...buttons);
}

/** One golden image of a model, as a file. */
export async function sample(model, number) {
  const answer = await ask(`models/${model.name}/versions/${model.version}/samples/${number}`, { accept: "image/png" });
  return new File([await answer.blob()], `sample-${number}.png`, { type: "image/png" });
}

async function sampleButton(model, number) {
  const file = await sample(model, number);
  const image = make("img", { src: URL.createObjectURL(file), alt: `Sample ${number + 1}` });
  return make("button", { type: "button", click: () => take([file]) }, image);
}

/** Classifies pictures, and shows the answer of the newest request only. */
async function take(files) {
  const model = chosen("model");
  if (!files.length || !model) return;
  pictures = files;
  const mine = ++turn;
  document.dispatchEvent(new CustomEvent("problem", { detail: null }));
  byId("status").textContent = files.length === 1 ? "Asking…" : `Asking about ${files.length} pictures…`;
  await guard(async () => {
    const show = files.length === 1 ? showOne(files[0], model, chosen("beside")) : showMany(files, model, query(model));
    const shown = await show.catch((error) => {
      if (mine === turn) byId("status").textContent = "";
      throw error;
    });
    if (mine !== turn) return;
    byId("result").replaceChildren(shown.element);
    byId("status").textContent = shown.summary;
  });
}
