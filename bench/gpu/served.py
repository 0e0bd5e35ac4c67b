"""Measures the service over HTTP on loopback: a real process, with wrk as its clients."""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from bench.load import drive
from bench.request_bytes import npy_bytes, picture_bytes
from bench.running_server import RunningServer


@dataclass(frozen=True, slots=True)
class Load:
    """The results of one load.

    Attributes:
        what: name of the request, for the report.
        concurrency: connections.
        requests_per_s: requests per second that were answered with 200.
        images_per_s: images per second in these requests.
        p50_ms: median latency.
        p99_ms: 99th percentile.
        errors: other answers.
    """

    what: str
    concurrency: int
    requests_per_s: float
    images_per_s: float
    p50_ms: float
    p99_ms: float
    errors: int


def png(shape: tuple[int, int, int]) -> bytes:
    """One picture of the model's size."""
    pixels = np.random.default_rng(2).integers(0, 256, shape, np.uint8)
    return picture_bytes(Image.fromarray(pixels if shape[2] == 3 else pixels[:, :, 0]), "PNG")


def npy(shape: tuple[int, int, int], images: int) -> bytes:
    """Many images as raw pixels."""
    return npy_bytes(np.random.default_rng(3).integers(0, 256, (images, *shape), np.uint8))


def load(
    server: RunningServer,
    path: str,
    body: bytes,
    kind: str,
    *,
    what: str,
    images: int,
    concurrency: int,
    seconds: float,
) -> Load:
    """Sends the same body again and again with wrk, since a client in Python would be slower than a GPU.

    Args:
        server: the service.
        path: of the endpoint.
        body: of each request.
        kind: its content type, also that of the answer where there are several images.
        what: name of the request, for the report.
        images: the number of images in a body.
        concurrency: connections.
        seconds: duration.
    """
    headers = {"Content-Type": kind, "Accept": kind if images > 1 else "*/*"}
    threads = max(1, min(concurrency, len(os.sched_getaffinity(0)) // 4))
    before_s = min(1.0, seconds)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "body"
        file.write_bytes(body)
        found = drive(
            server, path, [file], headers, concurrency=concurrency, seconds=seconds, threads=threads, warm_up_s=before_s
        )
    rate = (found.requests - found.non_2xx) / found.duration_s
    return Load(what, concurrency, rate, rate * images, found.p50_ms, found.p99_ms, found.errors)
