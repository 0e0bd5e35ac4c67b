// The picture that was sent, with a frame around the part that the network gets.

import { make } from "./dom.js";

/** The picture as a figure, with the orientation that the model uses; its longer side has `side` pixels. */
export async function original(file, seen, model, side) {
  let image;
  try {
    image = await createImageBitmap(model.input.exif ? file : await withoutExif(file));
  } catch {
    return make("p", { class: "quiet" }, "This browser cannot show the picture that was sent.");
  }
  const scale = side / Math.max(image.width, image.height);
  const canvas = make("canvas", {
    width: Math.max(1, Math.round(image.width * scale)),
    height: Math.max(1, Math.round(image.height * scale)),
    role: "img",
    "aria-label": "The picture, with a frame around the part that the network gets",
  });
  const pen = canvas.getContext("2d");
  pen.imageSmoothingEnabled = scale < 1;
  pen.drawImage(image, 0, 0, canvas.width, canvas.height);
  const isAsSeen = image.width === seen.source.width && image.height === seen.source.height;
  image.close();
  const size = `Sent: ${seen.source.width} × ${seen.source.height} pixels`;
  if (isAsSeen) drawFrame(pen, seen);
  const note = isAsSeen ? "the frame marks the part that the network gets" : "no frame, because this browser rotates the picture differently from the model";
  return make("figure", {}, canvas, make("figcaption", {}, `${size}; ${note}.`));
}

function drawFrame(pen, { source, box: { left, top, right, bottom } }) {
  const across = pen.canvas.width / source.width;
  const down = pen.canvas.height / source.height;
  const frame = [left * across + 1.5, top * down + 1.5, (right - left) * across - 3, (bottom - top) * down - 3];
  for (const [color, width] of [["#000", 5], ["#ffd23f", 2]]) {
    pen.strokeStyle = color;
    pen.lineWidth = width;
    pen.strokeRect(...frame);
  }
}

/** A JPEG without its EXIF segments, which make browsers rotate it; other files unchanged. */
async function withoutExif(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  if (bytes[0] !== 0xff || bytes[1] !== 0xd8) return file;
  const parts = [bytes.subarray(0, 2)];
  let at = 2;
  while (bytes[at] === 0xff && bytes[at + 1] >= 0xe0 && bytes[at + 1] <= 0xef) {
    const end = at + 2 + 256 * bytes[at + 2] + bytes[at + 3];
    if (bytes[at + 1] !== 0xe1) parts.push(bytes.subarray(at, end));
    at = end;
  }
  return new Blob([...parts, bytes.subarray(at)], { type: "image/jpeg" });
}
