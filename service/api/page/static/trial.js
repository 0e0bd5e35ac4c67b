// Try: takes pictures by drop, paste, file choice, camera or click on a sample; shows the answers as bars or as a table.

import { Problem, ask } from "./api.js";
import { prepareCamera } from "./camera.js";
import { chosen } from "./choices.js";
import { byId, make, report } from "./dom.js";
import { showMany } from "./grid.js";
import { showOne } from "./result.js";

const MOST_SAMPLES = 24;
let pictures = [];
let lastGood = null;
let asking = null;
let sampled = "";

/** The picture that was classified last; null if there is none. */
export const lastPicture = () => lastGood;

export function prepare() {
  for (const id of ["files", "photo"]) {
    byId(id).addEventListener("change", (event) => {
      take([...event.target.files]);
      event.target.value = "";
    });
  }
  prepareCamera(take);
  for (const id of ["model", "beside"]) byId(id).addEventListener("change", refresh);
  for (const name of ["dragover", "dragleave", "drop"]) document.addEventListener(name, drag);
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    const isAddress = /^\s*(https?|data|file):\S+\s*$/i.test(event.clipboardData?.getData("text") ?? "");
    if (files.length) takeHere(files);
    else if (isAddress && !event.target.closest("input")) refuseAddress();
  });
}

/** Files may be dropped anywhere on the page; otherwise the browser would leave the page and show the file. */
function drag(event) {
  const types = event.dataTransfer?.types ?? [];
  const isAddress = !types.includes("Files") && types.includes("text/uri-list");
  if (!types.includes("Files") && !isAddress) return;
  event.preventDefault();
  byId("drop").classList.toggle("over", event.type === "dragover");
  if (event.type !== "drop") return;
  if (isAddress) refuseAddress();
  else takeHere([...event.dataTransfer.files]);
}

/** Takes files that were dropped or pasted in any part of the page. */
function takeHere(files) {
  if (!byId("key-form").hidden) return;
  location.hash = "try";
  take(files);
}

/** Says why the address of a picture, dropped or pasted instead of a file, has no answer. */
const refuseAddress = () => report(new Problem(0, "Addresses are not fetched; save the picture and choose the file."));

export async function enter() {
  await showSamples();
}

async function refresh() {
  await showSamples().catch(report);
  if (pictures.length) await take(pictures);
}

async function showSamples() {
  const model = chosen("model");
  if (!model || sampled === model.id) return;
  sampled = model.id;
  const numbers = [...Array(Math.min(model.samples, MOST_SAMPLES)).keys()];
  const answers = await Promise.allSettled(numbers.map((number) => sampleButton(model, number)));
  if (sampled !== model.id) return; // another model was chosen meanwhile
  const buttons = answers.flatMap(({ value }) => value ?? []);
  byId("samples-title").hidden = buttons.length === 0;
  byId("samples").replaceChildren(...buttons);
  const reason = answers.find((one) => one.reason)?.reason;
  if (!reason) return;
  sampled = "";
  if (reason.status !== 429) throw reason; // the rate limit of the key is left to the user's pictures
}

/** One golden image of a model, as a file. */
export async function sample(model, number) {
  const path = `models/${model.name}/versions/${model.version}/samples/${number}`;
  const answer = await ask(path, { accept: "image/png" });
  return new File([await answer.blob()], `sample-${number}.png`, { type: "image/png" });
}

async function sampleButton(model, number) {
  const file = await sample(model, number);
  const free = (event) => URL.revokeObjectURL(event.target.src);
  const image = make("img", { src: URL.createObjectURL(file), alt: `Sample ${number + 1}`, load: free });
  return make("button", { type: "button", click: () => take([file]) }, image);
}

/** Classifies pictures, and shows the answer of the newest request only. */
async function take(files) {
  const model = chosen("model");
  if (!files.length || !model) return;
  pictures = files;
  asking?.abort();
  const mine = (asking = new AbortController());
  const status = byId("status");
  const progress = (done) => {
    if (mine === asking) status.textContent = `Classifying ${files.length} pictures: ${done} done…`;
  };
  report(null);
  status.textContent = "Classifying…";
  byId("result").ariaBusy = "true"; // the result still belongs to another picture
  try {
    const options = { other: chosen("beside"), signal: mine.signal, progress };
    const shown = await (files.length === 1 ? showOne(files[0], model, options) : showMany(files, model, options));
    if (mine !== asking) return;
    lastGood = shown.picture ?? lastGood;
    show(shown.element);
    status.replaceChildren(...shown.summary);
  } catch (error) {
    if (mine !== asking) return;
    show();
    status.textContent = "";
    report(error);
  }
}

function show(...elements) {
  byId("result").replaceChildren(...elements);
  byId("result").ariaBusy = "false";
}
