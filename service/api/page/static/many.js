// Classifies many pictures in groups; a bad picture gets an error and does not stop the others.

import { Problem, ask, isReadable, patiently, query, sentence, unreadable } from "./api.js";

const MOST_FILES = 32;
const MOST_BYTES = 16 * 1024 * 1024;

/**
 * Classifies pictures. Returns for each of them a prediction or {error: text}.
 * Errors that concern all of them (no key, no such model) are thrown.
 */
export async function predictMany(files, model, { signal, progress }) {
  const answers = [];
  for (const group of groups(files)) {
    answers.push(...(await predictGroup(group, model, signal)));
    progress(answers.length);
  }
  return answers;
}

/** Divides files into groups, one for each request. */
function* groups(files) {
  let group = [];
  let bytes = 0;
  for (const file of files) {
    if (group.length && (group.length === MOST_FILES || bytes + file.size > MOST_BYTES)) {
      yield group;
      group = [];
      bytes = 0;
    }
    group.push(file);
    bytes += file.size;
  }
  if (group.length) yield group;
}

async function predictGroup(files, model, signal) {
  const readable = await Promise.all(files.map(isReadable));
  const sent = files.filter((_file, index) => readable[index]);
  const answers = (sent.length ? await send(sent, model, signal) : []).values();
  return files.map((file, index) => (readable[index] ? answers.next().value : { error: unreadable(file) }));
}

async function send(files, model, signal) {
  const form = new FormData();
  for (const file of files) form.append("file", file, file.name.slice(-100));
  try {
    const path = `predict${query(model, { on_error: "report", top_k: 1, ...(model.familiarity && { familiarity: true }) })}`;
    const { predictions } = await (await patiently(() => ask(path, { body: form, signal }), signal)).json();
    return predictions.map((one) => (one.error ? { error: sentence(one.error.detail) } : one));
  } catch (error) {
    if (!(error instanceof Problem) || [401, 403, 404].includes(error.status)) throw error;
    if (error.status === 413 && files.length > 1) {
      const half = Math.ceil(files.length / 2);
      return [...(await send(files.slice(0, half), model, signal)), ...(await send(files.slice(half), model, signal))];
    }
    const faults = new Map(error.errors.map((fault) => [fault.index, sentence(fault.detail)]));
    return files.map((_file, index) => ({ error: faults.get(index) ?? error.message }));
  }
}
