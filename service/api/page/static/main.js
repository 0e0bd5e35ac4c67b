// Starts the page: shows the part that the URL names, and asks for an API key if the service requires one.

import { INVALID_KEY, Problem, isKey, setKey } from "./api.js";
import { loadModels, models as served } from "./choices.js";
import { byId, make } from "./dom.js";
import * as draw from "./draw.js";
import * as models from "./models.js";
import * as network from "./network.js";
import * as trial from "./trial.js";

const parts = { try: trial, draw, network, models };
let shown = null;
let isLoaded = false;

/** Shows an error; null removes it. */
export function tell(error) {
  const box = byId("problem");
  if (!error || error.name === "AbortError") {
    if (!error) box.replaceChildren();
    return;
  }
  const isKnown = error instanceof Problem;
  if (!isKnown) console.error(error);
  const text = isKnown ? error.message : "An error occurred in this page. The browser's console shows the details.";
  const again = isLoaded || [401, 403].includes(error.status) ? null : make("button", { type: "button", click: start }, "Try again");
  box.replaceChildren(make("p", { class: "problem" }, text), again ?? "");
  box.scrollIntoView({ block: "nearest" });
  if (error.status === 404) loadModels().catch(() => {}); // the model may have been removed: updates the lists
}

async function show() {
  const name = location.hash.slice(1);
  if (name === "main" && shown) return; // the link “Skip to the content”
  const part = Object.hasOwn(parts, name) ? name : "try";
  if (shown !== part) parts[shown]?.leave?.();
  shown = part;
  const isUseful = isLoaded && (part === "models" || served().length > 0);
  for (const other of Object.keys(parts)) byId(other).hidden = other !== part || !isUseful;
  for (const link of document.querySelectorAll("nav a")) {
    const isCurrent = link.hash === `#${part}`;
    if (isCurrent) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
    if (isCurrent && isUseful) document.title = `${link.textContent} · Convoy`;
  }
  if (!isUseful) return;
  tell(null);
  await parts[part].enter().catch(tell);
}

async function start() {
  tell(null);
  try {
    await loadModels();
    isLoaded = true;
    byId("key-form").hidden = true;
  } catch (error) {
    if (error.status === 403) askForKey(); // the key lacks the scope that the page needs
    if (error.status !== 401) tell(error);
    return error;
  }
  await show();
  return null;
}

function askForKey() {
  isLoaded = false;
  for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
  parts[shown]?.leave?.();
  for (const part of Object.keys(parts)) byId(part).hidden = true;
  byId("key-form").hidden = false;
  document.title = "API key required · Convoy";
  byId("key").focus();
}

document.addEventListener("key-needed", askForKey);

byId("key-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const key = byId("key").value.trim();
  byId("key").value = "";
  if (!isKey(key)) return tell(new Problem(401, INVALID_KEY));
  setKey(key);
  const refused = await start();
  if (refused?.status === 401) tell(refused);
  if (!refused) byId("main").focus(); // the form, which had the focus, is hidden now
});

document.addEventListener("problem", (event) => tell(event.detail));
window.addEventListener("hashchange", show);
for (const part of Object.values(parts)) part.prepare();
start();
