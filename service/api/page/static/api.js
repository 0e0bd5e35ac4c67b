// Sends requests to the service. URLs are relative to the base URL of the page, so that they work behind any prefix.

const base = new URL(document.documentElement.dataset.base, location.href);
const STORED = "convoy-key";
const MOST_TRIES = 5;
const MOST_WAIT_S = 5;

/** An error answer of the service, with its message. */
export class Problem extends Error {
  constructor(status, detail, { errors = [], retryAfter = null } = {}) {
    super(detail);
    this.status = status;
    this.errors = errors; // one for each refused picture
    this.retryAfter = retryAfter; // seconds
  }
}

/** Whether a text can be a key: other characters, such as those of a damaged paste, cannot be sent in a header. */
export const isKey = (text) => /^[\x21-\x7e]+$/.test(text);
export const INVALID_KEY = "This API key is not valid. Enter another one.";
/** Whether an error may concern only the model that was asked, so that the answers of another one are still shown. */
export const isOfOneModel = (error) => error instanceof Problem && error.status !== 401;

export const setKey = (key) => sessionStorage.setItem(STORED, key);
export const address = (path) => new URL(path, base).href;

/** Sends a request and returns the Response; throws a Problem if there is none, or if its status is an error. */
export async function ask(path, { body, type, accept = "application/json", signal } = {}) {
  const headers = { Accept: accept };
  const key = sessionStorage.getItem(STORED);
  if (key) headers["X-API-Key"] = key;
  if (type) headers["Content-Type"] = type;
  let answer;
  try {
    answer = await fetch(address(path), { method: body ? "POST" : "GET", body, headers, signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    if (body instanceof File && !(await isReadable(body))) throw new Problem(0, unreadable(body));
    throw new Problem(0, "The service does not answer. Check that it is running and that this device is online.");
  }
  if (answer.ok) return answer;
  const said = await answer.json().catch(() => ({}));
  if (answer.status === 401) document.dispatchEvent(new CustomEvent("key-needed"));
  const retryAfter = Number(answer.headers.get("retry-after")) || null;
  const isOne = body instanceof Blob; // then its position need not be named
  const detail = (isOne && said.errors?.[0]?.detail) || said.detail?.replace(isOne ? /^image 0: / : "", "");
  const text = answer.status === 401 ? aboutKey(key) : (sentence(detail) ?? `The service answered ${answer.status}.`);
  throw new Problem(answer.status, text, { errors: said.errors, retryAfter });
}

/** Says in the user's words why a request was refused; the service's own message names headers. */
const aboutKey = (key) => (key ? INVALID_KEY : "This service requires an API key.");

/**
 * Makes a sentence of a message of the service, which begins in lower case and ends without a full stop. A first word
 * with other characters, such as `top_k` or `cifar10`, is a name and stays as it is.
 */
export const sentence = (text) =>
  text ? `${text.replace(/^[a-z]+(?=[\s,:;]|$)/, (word) => word[0].toUpperCase() + word.slice(1))}${/[.!?`]$/.test(text) ? "" : "."}` : null;

/** Whether the browser can still read a file. It cannot read folders, or files that were moved or changed. */
export const isReadable = (file) => file.slice(0, 1).arrayBuffer().then(() => true, () => false);
export const unreadable = (file) => `${file.name} cannot be read: it is a folder, or it was moved after it was chosen.`;

export const askJson = async (path, options) => (await ask(path, options)).json();

/** The query that names a model and, where given, other parameters. */
export const query = (chosen, others = {}) =>
  `?${new URLSearchParams({ model: chosen.name, version: chosen.version, ...others })}`;

/** Sends one picture. A file without a known type is sent as bytes; the service recognises the format by itself. */
export const send = (path, picture, options = {}) =>
  ask(path, { ...options, body: picture, type: picture.type.startsWith("image/") ? picture.type : "application/octet-stream" });

/** The milliseconds of each stage of an answer, by name, and the size of its batch. */
export function timing(answer) {
  const stages = {};
  for (const part of (answer.headers.get("server-timing") ?? "").split(",")) {
    const found = /(\w+);(?:dur|desc)=([\d.]+)/.exec(part);
    if (found) stages[found[1]] = Number(found[2]);
  }
  return stages;
}

/** Tries again if the service is busy, after the time in its Retry-After header. */
export async function patiently(work, signal) {
  for (let tries = 1; ; tries += 1) {
    try {
      return await work();
    } catch (error) {
      const isBusy = [429, 503].includes(error.status) && error.retryAfter;
      if (!isBusy || tries === MOST_TRIES) throw error;
      await new Promise((done) => setTimeout(done, 1000 * Math.min(error.retryAfter, MOST_WAIT_S)));
      signal?.throwIfAborted();
    }
  }
}
