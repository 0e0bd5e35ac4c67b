// The answers for several pictures: a table that can be sorted, with each picture's details, and downloaded as CSV.

import { unreadable } from "./api.js";
import { saveCsv } from "./csv.js";
import { byId, make, named, percent, report } from "./dom.js";
import { predictMany } from "./many.js";
import { showOne } from "./result.js";

/** Classifies pictures with one model or two; returns the table, its summary, and a picture that was answered. */
export async function showMany(files, model, { other, signal, progress }) {
  const models = other && other.id !== model.id ? [model, other] : [model];
  const answers = [];
  for (const [index, one] of models.entries()) {
    const tell = (done) => progress(Math.floor((index * files.length + done) / models.length));
    answers.push(await predictMany(files, one, { signal, progress: tell }));
  }
  const rows = files.map((file, index) => row(file, answers.map((list) => list[index])));
  const good = rows.filter((one) => !one.error).length;
  const names = models.map((one) => `${one.name}, version ${one.version}`).join(", and by ");
  const open = (file) => showDetails(file, model, other);
  const save = make("button", { type: "button", click: () => saveCsv(lines(rows, models), "predictions.csv") }, "Download as CSV");
  const hint = make("span", { class: "quiet" }, "Click a heading to sort, or a picture for its details.");
  const element = make("div", {}, make("p", { class: "row" }, save, hint), table(rows, models, open));
  const agreed = rows.filter((one) => !one.error && one.labels[0] === one.labels.at(-1)).length;
  const agreement = models.length > 1 ? ` Both give the same label for ${agreed} of these ${good}.` : "";
  const summary = [`${good} of ${rows.length} pictures classified by ${names}.${agreement}`];
  return { element, summary, picture: rows.find((one) => !one.error)?.file };
}

/** The row of a picture: the answers of each model, or the first error. */
const row = (file, answers) => ({
  file,
  name: file.name,
  error: answers.find((one) => one.error)?.error ?? "",
  labels: answers.map((one) => one.labels?.join(", ") || one.label || (one.labels ? "no label applies" : "no label")),
  shares: answers.map((one) => one.probability ?? null),
  warnings: answers[0].warnings ?? [],
});

/** The columns that can be sorted: title, value of a row, and whether it is a number. */
function columns(models) {
  const ofModel = (one, index) => {
    const of = models.length > 1 ? ` (${one.name} ${one.version})` : "";
    return [
      [`Label${of}`, (row) => row.labels[index]],
      [`Probability${of}`, (row) => row.shares[index], true],
    ];
  };
  return [["File", (row) => row.name], ...models.flatMap(ofModel), ["Notes", (row) => row.warnings.map((one) => one.code).join(" ")]];
}

function table(rows, models, open) {
  const body = make("tbody");
  const lines = new Map(rows.map((one) => [one, line(one, open)]));
  const heads = columns(models).map(([title, value, isNumber]) => {
    const head = make("th", { scope: "col", class: isNumber ? "number" : null });
    head.append(make("button", { type: "button", click: () => sort(head, value) }, title));
    return head;
  });
  const fill = (sorted) => body.replaceChildren(...sorted.map((one) => lines.get(one)));
  function sort(head, value) {
    const isUp = head.getAttribute("aria-sort") !== "ascending";
    for (const other of heads) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", isUp ? "ascending" : "descending");
    const sign = isUp ? 1 : -1;
    const compare = (one, other) =>
      typeof one === "string" ? one.localeCompare(other, undefined, { numeric: true }) : (one ?? -1) - (other ?? -1);
    // Pictures without an answer stay at the end in both orders.
    const order = (one, other) => Boolean(one.error) - Boolean(other.error) || sign * compare(value(one), value(other));
    fill([...rows].sort(order));
  }
  fill(rows);
  const head = make("tr", {}, make("th", { scope: "col" }, "Picture"), ...heads);
  const content = make("table", { "aria-label": "Answers" }, make("thead", {}, head), body);
  return make("div", { class: "wide", tabindex: "0", role: "region", "aria-label": "Answers" }, content);
}

function thumbnail(file, instead) {
  const free = (event) => URL.revokeObjectURL(event.target.src);
  const name = (event) => event.target.replaceWith(instead); // this browser cannot show the format
  return make("img", { src: URL.createObjectURL(file), alt: "", load: free, error: name });
}

function line(one, open) {
  const name = make("td", { class: "text" }, named(one.name));
  if (one.error) {
    const image = one.error === unreadable(one.file) ? null : thumbnail(one.file, "");
    const error = make("td", { colspan: 2 * one.labels.length + 1, class: "problem" }, make("span", {}, one.error));
    return make("tr", {}, make("td", {}, image), name, error);
  }
  const label = `Details of ${one.name}`;
  const picture = make("button", { type: "button", class: "thumbnail", "aria-label": label, click: () => open(one.file) }, thumbnail(one.file, "Details"));
  const answers = one.labels.flatMap((label, index) => [
    make("td", { class: "text" }, named(label)),
    make("td", { class: "number" }, one.shares[index] === null ? "" : percent(one.shares[index])),
  ]);
  const notes = one.warnings.map((warning) => make("span", { class: "note", title: warning.detail }, warning.code));
  return make("tr", {}, make("td", {}, picture), name, ...answers, make("td", {}, ...notes));
}

function lines(rows, models) {
  const head = ["file", "label", "probability", "warnings", "error", "model", "version"];
  const further = models.length > 1 ? ["other_label", "other_probability", "other_model", "other_version"] : [];
  const answer = (one, index) => (one.error ? ["", ""] : [one.labels[index], one.shares[index] ?? ""]);
  const line = (one) => {
    const codes = one.warnings.map((warning) => warning.code).join(" ");
    const first = [one.name, ...answer(one, 0), codes, one.error, models[0].name, models[0].version];
    return models.length > 1 ? [...first, ...answer(one, 1), models[1].name, models[1].version] : first;
  };
  return [[...head, ...further], ...rows.map(line)];
}

/** Shows one picture's answer in a dialog over the table. */
async function showDetails(file, model, other) {
  try {
    const shown = await showOne(file, model, { other });
    byId("details").replaceChildren(shown.element);
    byId("details-title").replaceChildren(named(file.name));
    if (!byId("details-dialog").open) byId("details-dialog").showModal();
  } catch (error) {
    report(error);
  }
}
