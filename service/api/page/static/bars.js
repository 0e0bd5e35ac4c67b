// Bars of probability, headlines, and a model's warnings.

import { make, named, percent } from "./dom.js";

const SHORT = 5;
const MOST_CHARACTERS = 80;

/** The probabilities of a prediction, highest first: [label, probability]. */
export function ranked(prediction) {
  const listed = prediction.probabilities
    ? Object.entries(prediction.probabilities)
    : (prediction.top ?? []).map((entry) => [entry.label, entry.probability]);
  return listed.sort((one, other) => other[1] - one[1]);
}

/** The five most probable labels, and a button that shows all. */
export function bars(prediction, isOther = false) {
  const all = ranked(prediction);
  const list = make("ol", { class: "bars" });
  const show = (count) =>
    list.replaceChildren(
      ...all.slice(0, count).map(([label, share]) => {
        const bar = make("span", { class: isOther ? "bar other" : "bar", "aria-hidden": "true" });
        bar.style.width = `${100 * share}%`;
        return make("li", {}, bar, named(label), make("span", { class: "share" }, percent(share, 2)));
      }),
    );
  show(SHORT);
  const note = prediction.labels ? make("p", { class: "quiet" }, "The probabilities are independent; a label applies if it has at least 50 %.") : null;
  if (all.length <= SHORT) return make("div", {}, list, note);
  const more = make(
    "button",
    {
      type: "button",
      class: "plain",
      "aria-expanded": "false",
      click: () => {
        const isOpen = more.getAttribute("aria-expanded") === "true";
        more.setAttribute("aria-expanded", String(!isOpen));
        more.textContent = isOpen ? `Show all ${all.length}` : "Show only the first five";
        show(isOpen ? SHORT : all.length);
      },
    },
    `Show all ${all.length}`,
  );
  return make("div", {}, list, more, note);
}

/** The warnings of a prediction; null where there are none. */
export const warnings = (prediction) =>
  prediction.warnings?.length
    ? make("ul", { class: "warnings", "aria-label": "Warnings" }, ...prediction.warnings.map((one) => make("li", {}, `Note: ${one.detail}.`)))
    : null;

/** The headline of a prediction, as nodes: its label, or for a multi-label model all labels that apply. */
export function headline(prediction, digits = 1) {
  const { label, labels, probability } = prediction;
  if (label === null) return [labels ? "no label applies" : "no label"];
  const share = make("span", { class: "share" }, percent(probability, digits));
  if (!labels || labels.length < 2) return [named(shortened(label)), ", ", share];
  const further = labels.slice(1, SHORT).flatMap((one) => [", ", named(shortened(one))]);
  const rest = labels.length > SHORT ? ` and ${labels.length - SHORT} more` : "";
  return [named(shortened(label)), " (", share, ")", ...further, rest];
}

/** Shortens a label for the headline; the bars show it in full. */
function shortened(label) {
  const characters = [...label];
  return characters.length > MOST_CHARACTERS ? `${characters.slice(0, MOST_CHARACTERS).join("").trimEnd()}…` : label;
}
