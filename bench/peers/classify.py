"""The work that every peer does: decode, run, answer. Runs in the peers' environments.

The settings of a peer reach its app in ``BENCH_*`` variables, because most peers start their workers themselves.
"""

import io
import os
from typing import Any

import numpy as np
import onnxruntime
import orjson
from numpy.typing import NDArray
from PIL import Image, ImageOps

Pixels = NDArray[np.uint8]
Rows = NDArray[np.float32]

PORT = int(os.environ.get("BENCH_PORT", "0"))
WORKERS = int(os.environ.get("BENCH_WORKERS", "1"))
BATCH = int(os.environ.get("BENCH_BATCH", "1"))
WAIT_MS = int(os.environ.get("BENCH_WAIT_MS", "0"))
VARIANT = os.environ.get("BENCH_VARIANT", "")
SIDE = int(os.environ.get("BENCH_SIDE", "32"))  # height and width of the network's input, in pixels
THREADS = int(os.environ.get("BENCH_THREADS", "1"))  # of one run

LABELS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_TOP = 5  # number of labels in an answer of a network with other labels than these
JSON, NPY = "application/json", "application/x-npy"
_NPY_MAGIC = b"\x93NUMPY"
_SIZE = SIDE, SIDE
_DRAFT_SIZE = 2 * SIDE, 2 * SIDE  # JPEGs are decoded at a reduced size, at least twice the target, as Convoy does
_QUICK = "kornia" in VARIANT
_CHUNK = int(os.environ.get("BENCH_CHUNK", "0"))

if _QUICK:
    from kornia_rs.io import decode_image_png_u8
    from simplejpeg import decode_jpeg


def is_bulk(body: bytes) -> bool:
    """Whether a body is an array of pixels, not a picture."""
    return body.startswith(_NPY_MAGIC)


def decode(body: bytes) -> Pixels:
    """Pixels uint8 [N, SIDE, SIDE, 3] of a picture, or of an array in npy format."""
    if is_bulk(body):
        pixels: Pixels = np.load(io.BytesIO(body))
        return pixels
    if _QUICK and body.startswith(b"\x89PNG"):
        quick: Pixels = decode_image_png_u8(bytes(body), _SIZE, "rgb")
        return quick[np.newaxis]
    if _QUICK and body.startswith(b"\xff\xd8"):
        height, width = _DRAFT_SIZE
        return fit(Image.fromarray(decode_jpeg(bytes(body), "RGB", min_height=height, min_width=width)))
    return fit(Image.open(io.BytesIO(body)))


def fit(picture: Image.Image) -> Pixels:
    """Pixels uint8 [1, SIDE, SIDE, 3] of a picture of any size."""
    if picture.size != _SIZE:
        picture.draft("RGB", _DRAFT_SIZE)
        picture = ImageOps.fit(picture, _SIZE, Image.Resampling.BILINEAR)
    if picture.mode != "RGB":
        picture = picture.convert("RGB")
    return np.asarray(picture)[np.newaxis]


class Network:
    """The network in ONNX Runtime, with ``THREADS`` threads."""

    def __init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = THREADS, 1
        options.log_severity_level = 3
        self._session: Any = onnxruntime.InferenceSession(
            os.environ["BENCH_MODEL"], options, providers=["CPUExecutionProvider"]
        )

    def run(self, pixels: Pixels) -> Rows:
        """Probabilities float32 [N, K] of uint8 [N, SIDE, SIDE, 3]."""
        if _CHUNK and len(pixels) > _CHUNK:
            return np.concatenate([self._run(pixels[at : at + _CHUNK]) for at in range(0, len(pixels), _CHUNK)])
        return self._run(pixels)

    def run_many(self, arrays: list[Pixels]) -> list[Rows]:
        """As :meth:`run`, for several requests in one run."""
        rows = self.run(arrays[0] if len(arrays) == 1 else np.concatenate(arrays))
        if len(rows) == len(arrays):
            return list(rows[:, np.newaxis])
        return np.split(rows, np.cumsum([len(array) for array in arrays])[:-1])

    def _run(self, pixels: Pixels) -> Rows:
        rows: Rows = self._session.run(("probabilities",), {"image": pixels})[0]
        return rows


def answer(rows: Rows) -> bytes:
    """JSON with ten probabilities for one picture, npy for more."""
    if len(rows) > 1:
        file = io.BytesIO()
        np.save(file, rows)
        return file.getvalue()
    return orjson.dumps(document(rows))


def media_type(rows: Rows) -> str:
    """The Content-Type of an answer."""
    return JSON if len(rows) == 1 else NPY


def document(rows: Rows) -> dict[str, Any]:
    """One picture's answer as a dictionary: every probability, or the highest few where the labels are others."""
    if rows.shape[1] != len(LABELS):
        best = np.argsort(-rows[0])[:_TOP].tolist()
        return {"top": [{"label": str(index), "index": index, "probability": float(rows[0, index])} for index in best]}
    row = rows[0].tolist()
    index = max(range(len(row)), key=row.__getitem__)
    return {
        "label": LABELS[index],
        "index": index,
        "probability": row[index],
        "probabilities": dict(zip(LABELS, row, strict=True)),
    }
