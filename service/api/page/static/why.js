// Why: asks which pixels support a class, and draws them over the input of the network.

import { Problem, query, send } from "./api.js";
import { ranked } from "./bars.js";
import { loadImage, make, named, report } from "./dom.js";

const FOR = [230, 97, 0];
const AGAINST = [30, 110, 200];
const STRONGEST = 0.75;
const MOST_OPTIONS = 1000;
const METHODS = {
  hirescam: "HiResCAM, the exact contribution of each position of the last feature map to the score of this class",
  occlusion: "occlusion, the decrease of this probability when a part of the picture is hidden; an indication, not a proof",
};

/** A button, a list of classes, and the place for the answer. */
export function why(file, model, prediction, seen) {
  const names = ranked(prediction).map(([label]) => label);
  const options = names.map((label) => make("option", { value: label, dir: "auto" }, label));
  const select =
    names.length > MOST_OPTIONS
      ? make("input", { "aria-label": "Name of the class to explain", value: names[0], spellcheck: "false" })
      : make("select", { "aria-label": "Class to explain" }, ...options);
  const answer = make("div", { "aria-live": "polite" });
  async function ask() {
    button.disabled = true;
    answer.replaceChildren(make("p", { class: "quiet" }, "Computing the explanation…"));
    try {
      const reply = await send(`explain${query(model, { label: select.value })}`, file);
      answer.replaceChildren(await overlay(seen, await reply.json()));
    } catch (error) {
      answer.replaceChildren(); // the message is shown here, since a dialog may cover the page's place for errors
      if (error instanceof Problem && error.status !== 401) answer.append(make("p", { class: "problem" }, error.message));
      else report(error);
    } finally {
      button.disabled = false;
    }
  }
  const button = make("button", { type: "button", click: ask }, "Why?");
  return make("div", { class: "why" }, make("div", { class: "row" }, button, select), answer);
}

/** The map over the picture in grey: orange pixels support the class, blue pixels count against it. */
async function overlay(seen, explained) {
  const { width, height } = seen.input;
  const canvas = make("canvas", {
    width,
    height,
    class: "map",
    role: "img",
    "aria-label": `Pixels that support ${explained.label}, in orange, and that count against it, in blue`,
  });
  const times = Math.max(1, Math.floor(240 / Math.max(width, height)));
  canvas.style.width = `${width * times}px`;
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  pen.drawImage(await loadImage(seen.image), 0, 0);
  const picture = pen.getImageData(0, 0, width, height);
  const strongest = Math.max(1e-12, ...explained.map.map((row) => Math.max(...row.map(Math.abs))));
  explained.map.flat().forEach((value, index) => {
    const at = 4 * index;
    const share = (STRONGEST * Math.abs(value)) / strongest;
    const grey = (picture.data[at] + picture.data[at + 1] + picture.data[at + 2]) / 3;
    const color = value >= 0 ? FOR : AGAINST;
    for (let channel = 0; channel < 3; channel += 1) {
      picture.data[at + channel] = (1 - share) * grey + share * color[channel];
    }
  });
  pen.putImageData(picture, 0, 0);
  const found = `: orange pixels support it, blue pixels count against it. Method: ${METHODS[explained.method]}.`;
  return make("figure", {}, canvas, make("figcaption", {}, "Why ", named(explained.label), found));
}
