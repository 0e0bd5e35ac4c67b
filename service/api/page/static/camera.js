// Camera: a dialog shows the camera if the browser allows this page to use it; otherwise the camera app takes the picture.

import { Problem } from "./api.js";
import { byId, report } from "./dom.js";

const QUALITY = 0.95;
const REFUSALS = {
  NotAllowedError: "The browser does not allow this page to use the camera. Allow it, or choose a file.",
  NotFoundError: "No camera was found. Choose a file instead.",
  NotReadableError: "Another program is using the camera. Close that program, or choose a file.",
};
let stream = null;

/** Whether this page shows the camera. A phone's camera app takes better pictures; browsers allow cameras only with TLS. */
const isOwn = () => Boolean(navigator.mediaDevices?.getUserMedia) && !matchMedia("(pointer: coarse)").matches;

/** Shows one of the two camera buttons; `take` gets each picture as a file. */
export function prepareCamera(take) {
  byId("camera").hidden = !isOwn();
  byId("photo-button").hidden = isOwn();
  const dialog = byId("camera-dialog");
  byId("camera").addEventListener("click", open);
  byId("camera-take").addEventListener("click", async () => {
    const picture = await photograph();
    dialog.close();
    take([picture]);
  });
  byId("camera-cancel").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", stop);
}

async function open() {
  report(null);
  byId("camera-take").disabled = true;
  byId("camera-dialog").showModal();
  try {
    const opened = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1280 } }, audio: false });
    if (!byId("camera-dialog").open) {
      for (const track of opened.getTracks()) track.stop(); // the dialog was closed meanwhile
      return;
    }
    stream = opened;
    byId("camera-view").srcObject = stream;
    await byId("camera-view").play();
    byId("camera-take").disabled = false;
    byId("camera-take").focus();
  } catch (error) {
    const isClosed = !byId("camera-dialog").open;
    byId("camera-dialog").close();
    if (!isClosed) report(new Problem(0, REFUSALS[error.name] ?? "The camera cannot be used. Choose a file instead."));
  }
}

function stop() {
  for (const track of stream?.getTracks() ?? []) track.stop();
  stream = null;
  byId("camera-view").srcObject = null;
}

async function photograph() {
  const view = byId("camera-view");
  const canvas = document.createElement("canvas");
  canvas.width = view.videoWidth;
  canvas.height = view.videoHeight;
  canvas.getContext("2d").drawImage(view, 0, 0);
  const picture = await new Promise((done) => canvas.toBlob(done, "image/jpeg", QUALITY));
  return new File([picture], "photo.jpg", { type: "image/jpeg" });
}
