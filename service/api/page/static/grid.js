// The answers for several pictures: a table that can be sorted, with each picture's details, and downloaded as CSV.

import { isOfOneModel, unreadable } from "./api.js";
import { saveCsv } from "./csv.js";
import { byId, make, named, percent, report } from "./dom.js";
import { predictMany } from "./many.js";
import { showOne } from "./result.js";

const COLUMNS = 3; // of each model

/** Classifies pictures with one model or two; returns the table, its summary, and a picture that was answered. */
export async function showMany(files, model, { other, signal, progress }) {
  const models = other && other.id !== model.id ? [model, other] : [model];
  const answers = await askAll(files, models, { signal, progress });
  const rows = files.map((file, index) => ({ file, name: file.name, answers: answers.map((list) => answerOf(list[index])) }));
  const save = make("button", { type: "button", click: () => saveCsv(lines(rows, models), "predictions.csv") }, "Download as CSV");
  const hint = make("span", { class: "quiet" }, "Click a heading to sort, or a picture for its details.");
  const element = make("div", {}, make("p", { class: "row" }, save, hint), table(rows, models, details(model, other, signal)));
  return { element, summary: [summary(rows, models)], picture: rows.find((one) => !isBad(one))?.file };
}

/** The answers of each model, for each picture. A model that fails as a whole does not hide the answers of the other. */
async function askAll(files, models, { signal, progress }) {
  const answers = [];
  const failures = [];
  for (const [index, one] of models.entries()) {
    const tell = (done) => progress(Math.floor((index * files.length + done) / models.length));
    try {
      answers.push(await predictMany(files, one, { signal, progress: tell }));
    } catch (error) {
      if (!isOfOneModel(error)) throw error;
      failures.push(error);
      answers.push(files.map(() => ({ error: error.message })));
    }
  }
  if (failures.length === models.length) throw failures[0];
  return answers;
}

/** What the table shows of an answer. */
const answerOf = (one) => ({
  error: one.error ?? "",
  label: one.labels?.join(", ") || one.label || (one.labels ? "no label applies" : "no label"),
  share: one.probability ?? null,
  warnings: one.warnings ?? [],
});

/** Whether no model has an answer for a picture. */
const isBad = (row) => row.answers.every((one) => one.error);
const codes = (answer) => answer.warnings.map((one) => one.code).join(" ");

function summary(rows, models) {
  const counts = models.map((_one, index) => rows.filter((row) => !row.answers[index].error).length);
  const by = (one, index) => `${index && counts[index] !== counts[0] ? `${counts[index]} ` : ""}by ${one.name}, version ${one.version}`;
  const both = rows.filter((row) => row.answers.every((one) => !one.error));
  const agreed = both.filter((row) => row.answers[0].label === row.answers.at(-1).label).length;
  const agreement = models.length > 1 && both.length ? ` Both give the same label for ${agreed} of these ${both.length}.` : "";
  return `${counts[0]} of ${rows.length} pictures classified ${models.map(by).join(", and ")}.${agreement}`;
}

/** The columns that can be sorted: title, value of a row, whether it is a number, and whether a row has an answer. */
function columns(models) {
  const ofModel = (one, index) => {
    const of = models.length > 1 ? ` (${one.name} ${one.version})` : "";
    const hasNone = (row) => Boolean(row.answers[index].error);
    return [
      { title: `Label${of}`, value: (row) => row.answers[index].label, hasNone },
      { title: `Probability${of}`, value: (row) => row.answers[index].share, isNumber: true, hasNone },
      { title: `Notes${of}`, value: (row) => codes(row.answers[index]), hasNone },
    ];
  };
  return [{ title: "File", value: (row) => row.name, hasNone: isBad }, ...models.flatMap(ofModel)];
}

function table(rows, models, open) {
  const body = make("tbody");
  const lines = new Map(rows.map((one) => [one, line(one, open)]));
  const heads = columns(models).map((column) => {
    const head = make("th", { scope: "col", class: column.isNumber ? "number" : null });
    head.append(make("button", { type: "button", click: () => sort(head, column) }, column.title));
    return head;
  });
  const fill = (sorted) => body.replaceChildren(...sorted.map((one) => lines.get(one)));
  function sort(head, { value, hasNone }) {
    const isUp = head.getAttribute("aria-sort") !== "ascending";
    for (const other of heads) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", isUp ? "ascending" : "descending");
    const sign = isUp ? 1 : -1;
    const compare = (one, other) =>
      typeof one === "string" ? one.localeCompare(other, undefined, { numeric: true }) : (one ?? -1) - (other ?? -1);
    // Pictures without an answer stay at the end in both orders.
    const order = (one, other) => hasNone(one) - hasNone(other) || sign * compare(value(one), value(other));
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
  const { error } = one.answers[0];
  if (isBad(one)) {
    const image = error === unreadable(one.file) ? null : thumbnail(one.file, "");
    const isSame = one.answers.every((answer) => answer.error === error);
    const errors = isSame ? [problem(error, one.answers.length)] : one.answers.map((answer) => problem(answer.error));
    return make("tr", {}, make("td", {}, image), name, ...errors);
  }
  const label = `Details of ${one.name}`;
  const click = (event) => open(one.file, event.currentTarget);
  const picture = make("button", { type: "button", class: "thumbnail", "aria-label": label, click }, thumbnail(one.file, "Details"));
  return make("tr", {}, make("td", {}, picture), name, ...one.answers.flatMap(cells));
}

const problem = (text, models = 1) => make("td", { colspan: COLUMNS * models, class: "problem" }, make("span", {}, text));

/** The cells of one model. */
function cells(answer) {
  if (answer.error) return [problem(answer.error)];
  return [
    make("td", { class: "text" }, named(answer.label)),
    make("td", { class: "number" }, answer.share === null ? "" : percent(answer.share)),
    make("td", { class: "notes" }, ...answer.warnings.map((warning) => make("span", { class: "note", title: warning.detail }, warning.code))),
  ];
}

function lines(rows, models) {
  const names = ["label", "probability", "warnings", "error", "model", "version"];
  const ofModel = (answer, { name, version }) => {
    const first = answer.error ? ["", "", ""] : [answer.label, answer.share ?? "", codes(answer)];
    return [...first, answer.error, name, version];
  };
  const further = models.length > 1 ? names.map((name) => `other_${name}`) : [];
  const line = (row) => [row.name, ...row.answers.flatMap((answer, index) => ofModel(answer, models[index]))];
  return [["file", ...names, ...further], ...rows.map(line)];
}

/** Makes the listener of a picture's button: it shows the picture's answer in a dialog over the table. */
function details(model, other, signal) {
  let newest = null;
  return async (file, button) => {
    if (button.ariaBusy === "true") return;
    newest = button;
    button.ariaBusy = "true";
    try {
      const shown = await showOne(file, model, { other, signal });
      // Meanwhile another picture may have been clicked, the table replaced, or another part of the page opened.
      if (newest !== button || signal.aborted || byId("try").hidden) return;
      byId("details").replaceChildren(shown.element);
      byId("details-title").replaceChildren(named(file.name));
      if (!byId("details-dialog").open) byId("details-dialog").showModal();
    } catch (error) {
      report(error);
    } finally {
      button.ariaBusy = "false";
    }
  };
}
