// Makes elements. Text is always set as text: nothing from a model or the service is parsed as HTML.

/** An element with attributes (a function is a listener, true is an empty attribute) and children. */
export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(key, value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export const byId = (id) => document.getElementById(id);

/** A definition list of pairs of name and value. */
export const facts = (pairs) =>
  make("dl", {}, ...pairs.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, String(value))]));

/** A share in per cent. Shares that only round to 0 or 100 % are written with < or >. */
export function percent(share, digits = 1) {
  const step = 10 ** -digits;
  if (share > 0 && 100 * share < step / 2) return `< ${step} %`;
  if (share < 1 && 100 * share >= 100 - step / 2) return `> ${100 - step} %`;
  return `${(100 * share).toFixed(digits)} %`;
}

/** A label or a file's name, in any script; it has no effect on the direction of the surrounding text. */
export const named = (text) => make("bdi", {}, text);

/** Shows an error on the page; null removes it. */
export const report = (error) => document.dispatchEvent(new CustomEvent("problem", { detail: error }));

/** Loads the picture at a URL; rejects if the browser cannot show it. */
export async function loadImage(address) {
  const image = new Image();
  image.src = address;
  await image.decode();
  return image;
}
