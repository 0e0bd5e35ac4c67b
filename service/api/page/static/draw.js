// Draw: the drawing is classified after each stroke. At most one request is open; the page shows the newest answer.

import { patiently, query, send } from "./api.js";
import { bars, headline, warnings } from "./bars.js";
import { chosen } from "./choices.js";
import { byId, make, report } from "./dom.js";

const STEP = 8;
const pad = byId("pad");
const pen = pad.getContext("2d");
let last = null;
let isDown = false;
let cursor = { x: 140, y: 60 };
let isAsking = false;
let isStale = false;
let isBlank = true;
let drawing = 0;

export function prepare() {
  pad.addEventListener("pointerdown", (event) => {
    if (!event.isPrimary || event.button !== 0) return; // a second finger, or another button
    pad.setPointerCapture(event.pointerId);
    last = place(event);
    line(last, last);
  });
  pad.addEventListener("pointermove", (event) => {
    if (!last || !event.isPrimary) return;
    const steps = event.getCoalescedEvents?.() ?? [];
    for (const step of steps.length ? steps : [event]) {
      const next = place(step);
      line(last, next);
      last = next;
    }
  });
  for (const name of ["pointerup", "pointercancel"]) pad.addEventListener(name, () => (last = null));
  pad.addEventListener("keydown", byKeyboard);
  byId("clear").addEventListener("click", clear);
  byId("draw-model").addEventListener("change", () => isBlank || update());
  clear();
}

export async function enter() {}

function place(event) {
  const box = pad.getBoundingClientRect();
  return { x: ((event.clientX - box.left) * pad.width) / box.width, y: ((event.clientY - box.top) * pad.height) / box.height };
}

function byKeyboard(event) {
  const moves = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };
  if (event.key === " ") {
    isDown = !isDown;
    byId("pen").textContent = isDown ? "The pen is down." : "The pen is up."; // only keyboard users need it
    if (isDown) line(cursor, cursor);
  } else if (moves[event.key]) {
    const [across, down] = moves[event.key];
    const next = { x: clamp(cursor.x + across), y: clamp(cursor.y + down) };
    if (isDown) line(cursor, next);
    cursor = next;
  } else {
    return;
  }
  event.preventDefault();
}

const clamp = (number) => Math.min(270, Math.max(10, number));

function line(from, to) {
  pen.lineWidth = 20;
  pen.lineCap = pen.lineJoin = "round";
  pen.strokeStyle = "#000";
  pen.beginPath();
  pen.moveTo(from.x, from.y);
  pen.lineTo(to.x, to.y);
  pen.stroke();
  isBlank = false;
  update();
}

function clear() {
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, pad.width, pad.height);
  last = null;
  isDown = false;
  drawing += 1;
  isStale = false;
  isBlank = true;
  byId("pen").textContent = "";
  byId("draw-result").replaceChildren(make("p", { class: "quiet" }, "Nothing is drawn yet."));
  byId("draw-status").textContent = "";
}

/** Classifies the drawing at once, or as soon as the open request has been answered. */
async function update() {
  isStale = true;
  if (isAsking || !chosen("draw-model")) return;
  isAsking = true;
  try {
    while (isStale) {
      let mine;
      const answer = await patiently(async () => {
        isStale = false;
        mine = drawing;
        const picture = await new Promise((done) => pad.toBlob(done, "image/png"));
        return send(`predict${query(chosen("draw-model"), { prepare: "digit", probabilities: "all" })}`, picture);
      });
      const [prediction] = (await answer.json()).predictions;
      if (mine === drawing) show(prediction);
    }
    report(null);
  } catch (error) {
    byId("draw-result").replaceChildren(); // the result belongs to another drawing
    byId("draw-status").textContent = "";
    report(error);
  } finally {
    isAsking = false;
  }
}

function show(prediction) {
  const told = { ...prediction, warnings: prediction.warnings?.filter((one) => one.code !== "inverted") };
  byId("draw-result").replaceChildren(make("h2", {}, ...headline(prediction)), warnings(told) ?? "", bars(prediction));
  byId("draw-status").replaceChildren("Classified as ", ...headline(prediction), ".");
}
