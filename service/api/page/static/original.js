// The picture that was sent, with the part that the network gets in a frame.

import { make } from "./dom.js";

/** The picture as a figure, turned as the model's pictures are; `side` is that of the longer one, in pixels. */
export async function original(file, seen, model, side) {
  let image;
  try {
    image = await createImageBitmap(model.input.exif ? file : await withoutExif(file));
  } catch {
    return make("p", { class: "quiet" }, "This browser cannot show the picture itself.");
  }
  const scale = side / Math.max(image.width, image.height);
  const canvas = make("canvas", {
    width: Math.max(1, Math.round(image.width * scale)),
    height: Math.max(1, Math.round(image.height * scale)),
    role: "img",
    "aria-label": "The picture, with the part that the network gets in a frame",
  });
  const pen = canvas.getContext("2d");
  pen.imageSmoothingEnabled = scale < 1;
  pen.drawImage(image, 0, 0, canvas.width, canvas.height);
  const isAsSeen = image.width === seen.source.width && image.height === seen.source.height;
  image.close();
  const size = `Sent: ${seen.source.width} × ${seen.source.height} pixels`;
  if (!isAsSeen) return make("figure", {}, canvas, make("figcaption", {}, `${size}; this browser turns it otherwise than the model.`));
  drawFrame(pen, seen);
  return make("figure", {}, canvas, make("figcaption", {}, `${size}; the frame is what the network gets.`));
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

/** A JPEG without its EXIF segments, by which browsers turn a picture; anything else as it is. */
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
