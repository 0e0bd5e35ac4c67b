"""The requests that servers get: bodies with their right answers."""

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image, ImageOps

from bench.folders import MODELS, SAMPLES
from bench.request_bytes import npy_bytes, picture_bytes
from contract import FEATURES_NAME, INPUT_NAME, OUTPUT_NAME, ModelMetadata

Pixels = NDArray[np.uint8]
Rows = NDArray[np.float32]

BULK_IMAGES = 256
PHOTO_SIZE = 640, 480
_BOUNDARY = "bench-boundary-7d1c"
_PHOTO_NOISE = 4.0  # standard deviation, of 255


@dataclass(frozen=True)
class Workload:
    """One kind of request.

    Attributes:
        name: a short name, as in a report.
        bodies: sent in turn.
        headers: of each request.
        expected: the right probabilities of each body, float32 [N, K].
        tolerance: largest allowed difference of a probability; None where only the most probable label must agree.
    """

    name: str
    bodies: tuple[bytes, ...]
    headers: Mapping[str, str]
    expected: tuple[Rows, ...] = field(repr=False)
    tolerance: float | None = 1e-3

    @property
    def images(self) -> int:
        """Images in one request."""
        return len(self.expected[0])

    def write(self, folder: Path) -> tuple[Path, ...]:
        """Writes the bodies to files for the load generator."""
        folder.mkdir(parents=True, exist_ok=True)
        paths = tuple(folder / f"{self.name}-{index}.body" for index in range(len(self.bodies)))
        for path, body in zip(paths, self.bodies, strict=True):
            path.write_bytes(body)
        return paths


class Network:
    """One exported classifier, run by ONNX Runtime alone, which gives the right answers.

    Args:
        path: of its file.
    """

    def __init__(self, path: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.metadata = ModelMetadata.from_props(self._session.get_modelmeta().custom_metadata_map)

    def run(self, images: Pixels) -> Rows:
        """Probabilities, float32 [N, K], of uint8 [N, H, W, C]."""
        rows: Rows = self._session.run((OUTPUT_NAME,), {INPUT_NAME: images})[0]
        return rows

    def features(self, images: Pixels) -> NDArray[np.float32]:
        """The last feature map, float32 [N, C, H, W], of a file that has it as an output."""
        found: NDArray[np.float32] = self._session.run((FEATURES_NAME,), {INPUT_NAME: images})[0]
        return found


def default_file(name: str) -> Path:
    """The file of a model's default version."""
    pinned = MODELS / name / "default_version"
    if pinned.exists():
        return MODELS / name / pinned.read_text().strip() / "model.onnx"
    return max((MODELS / name).glob("*/model.onnx"), key=lambda path: int(path.parent.name))


def make_workloads() -> dict[str, Workload]:
    """Makes every workload, by name, from the committed sample pictures."""
    cifar10, mnist = Network(default_file("cifar10")), Network(default_file("mnist"))
    files = [path.read_bytes() for path in sorted(SAMPLES.glob("cifar10_*.png"))]
    pixels = [_pixels(data, "RGB") for data in files]
    rows = tuple(cifar10.run(image[np.newaxis]) for image in pixels)
    digits = [path.read_bytes() for path in sorted(SAMPLES.glob("mnist_*.png"))]
    digit_rows = tuple(mnist.run(_pixels(data, "L")[np.newaxis]) for data in digits)
    photos = [make_photo(image, seed) for seed, image in enumerate(pixels[::2])]
    photo_rows = tuple(cifar10.run(_shrink(data)[np.newaxis]) for data in photos)
    bulk = np.resize(np.stack(pixels), (BULK_IMAGES, *pixels[0].shape))
    bulk_rows = cifar10.run(bulk)
    png, npy = {"Content-Type": "image/png"}, "application/x-npy"
    form = {"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"}
    header, tensor = _open_inference(bulk)
    binary = {"Inference-Header-Content-Length": str(len(header)), "Content-Type": "application/octet-stream"}
    made = (
        Workload("png", tuple(files), png, rows),
        Workload("multipart", tuple(map(_multipart, files)), form, rows),
        Workload("mnist", tuple(digits), png, digit_rows),
        Workload("jpeg", tuple(photos), {"Content-Type": "image/jpeg"}, photo_rows, tolerance=None),
        Workload("bulk", (npy_bytes(bulk),), {"Content-Type": npy, "Accept": npy}, (bulk_rows,)),
        Workload("oip", (header + tensor,), binary, (bulk_rows,)),
    )
    return {workload.name: workload for workload in made}


def make_photo(image: Pixels, seed: int) -> bytes:
    """A 640x480 JPEG that is for its codec like a photograph: smooth, with a little noise.

    A CIFAR-10 picture, scaled up with a Lanczos filter, cropped to 4:3, with Gaussian noise, at quality 90.

    Args:
        image: uint8 [32, 32, 3].
        seed: of the noise.

    Returns:
        The file.
    """
    large = ImageOps.fit(Image.fromarray(image), PHOTO_SIZE, Image.Resampling.LANCZOS)
    noise = np.random.default_rng(seed).normal(0, _PHOTO_NOISE, (*PHOTO_SIZE[::-1], 3))
    noisy = np.clip(np.asarray(large) + noise, 0, 255).astype(np.uint8)
    return picture_bytes(Image.fromarray(noisy), "JPEG", quality=90)


def _pixels(data: bytes, mode: str) -> Pixels:
    pixels = np.asarray(Image.open(io.BytesIO(data)).convert(mode))
    return pixels if pixels.ndim == 3 else pixels[..., np.newaxis]


def _shrink(data: bytes) -> Pixels:
    picture = Image.open(io.BytesIO(data)).convert("RGB")
    return np.asarray(ImageOps.fit(picture, (32, 32), Image.Resampling.BILINEAR))


def _multipart(data: bytes) -> bytes:
    head = (
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="picture.png"\r\n'
        "Content-Type: image/png\r\n\r\n"
    )
    return head.encode() + data + f"\r\n--{_BOUNDARY}--\r\n".encode()


def _open_inference(images: Pixels) -> tuple[bytes, bytes]:
    """The two halves of a binary request of the Open Inference Protocol v2, as tritonclient sends them."""
    shape = ", ".join(map(str, images.shape))
    header = (
        f'{{"inputs": [{{"name": "{INPUT_NAME}", "shape": [{shape}], "datatype": "UINT8", '
        f'"parameters": {{"binary_data_size": {images.nbytes}}}}}], "parameters": {{"binary_data_output": true}}}}'
    )
    return header.encode(), images.tobytes()
