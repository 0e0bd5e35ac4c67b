// The answers for several pictures: a table that can be sorted, and a CSV to take away.

import { ask } from "./api.js";
import { make, percent } from "./dom.js";

const AT_ONCE = 32;

/** Classifies pictures; returns the table and its summary. */
export async function showMany(files, model, query) {
  const rows = [];
  for (let start = 0; start < files.length; start += AT_ONCE) {
    const form = new FormData();
    for (const file of files.slice(start, start + AT_ONCE)) form.append("file", file, file.name);
    const answer = await ask(`predict${query}&on_error=report&top_k=1`, { body: form }).catch((error) => {
      if (error.status === 422) return null; // all of them are bad
      throw error;
    });
    const { predictions } = answer ? await answer.json() : { predictions: [] };
    files.slice(start, start + AT_ONCE).forEach((file, index) => rows.push(row(file, predictions[index])));
  }
  const good = rows.filter((one) => one.error === "").length;
  const summary = `${good} of ${rows.length} pictures classified by ${model.name}, version ${model.version}.`;
  return { element: make("div", {}, table(rows), download(rows, model)), summary };
}

const row = (file, prediction) => ({
  file,
  name: file.name,
  label: prediction?.label ?? "",
  probability: prediction?.probability ?? 0,
  warnings: (prediction?.warnings ?? []).map((one) => one.code).join(" "),
  error: prediction ? (prediction.error?.detail ?? "") : "it cannot be read as a picture",
});

const COLUMNS = [
  ["name", "File"],
  ["label", "Label"],
  ["probability", "Probability"],
  ["warnings", "Notes"],
];

function table(rows) {
  const body = make("tbody");
  const heads = COLUMNS.map(([key, title]) => {
    const head = make("th", { scope: "col", class: key === "probability" ? "number" : null });
    head.append(make("button", { type: "button", click: () => sort(key, head) }, title));
    return head;
  });
  const fill = (sorted) => body.replaceChildren(...sorted.map(line));
  function sort(key, head) {
    const isUp = head.getAttribute("aria-sort") !== "ascending";
    for (const other of heads) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", isUp ? "ascending" : "descending");
    const sign = isUp ? 1 : -1;
    const compare = (one, other) =>
      typeof one === "number" ? one - other : one.localeCompare(other, undefined, { numeric: true });
    fill([...rows].sort((one, other) => sign * compare(one[key], other[key])));
  }
  fill(rows);
  const head = make("tr", {}, make("th", { scope: "col" }, "Picture"), ...heads);
  const content = make("table", {}, make("caption", {}, "Click a heading to sort."), make("thead", {}, head), body);
  return make("div", { class: "wide", tabindex: "0", role: "region", "aria-label": "Answers" }, content);
}

function line(one) {
  const image = make("img", { src: URL.createObjectURL(one.file), alt: "", load: (event) => URL.revokeObjectURL(event.target.src) });
  if (one.error) {
    return make("tr", {}, make("td", {}, image), make("td", {}, one.name), make("td", { colspan: 3, class: "problem" }, one.error));
  }
  return make(
    "tr",
    {},
    make("td", {}, image),
    make("td", {}, one.name),
    make("td", {}, one.label || "no label"),
    make("td", { class: "number" }, percent(one.probability)),
    make("td", {}, one.warnings),
  );
}

/** A field of RFC 4180; a leading sign that a spreadsheet would compute is made text. */
const field = (value) => `"${String(value).replace(/^[=+\-@\t\r]/, "'$&").replaceAll('"', '""')}"`;

function download(rows, model) {
  const lines = [
    ["file", "label", "probability", "warnings", "error", "model", "version"],
    ...rows.map((one) => [one.name, one.label, one.error ? "" : one.probability, one.warnings, one.error, model.name, model.version]),
  ];
  const text = lines.map((values) => values.map(field).join(",")).join("\r\n");
  const address = URL.createObjectURL(new Blob([`${text}\r\n`], { type: "text/csv" }));
  return make("p", {}, make("a", { href: address, download: "predictions.csv" }, "Download as CSV"));
}
