"""The service over HTTP on loopback: a real process, and client processes that each keep one connection busy."""

import http.client
import io
import multiprocessing
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import numpy as np
from PIL import Image

_ADDRESS = re.compile(r"http://\S+:\d+(?=\s|$)")


@dataclass(frozen=True, slots=True)
class Load:
    """What one run of load found.

    Attributes:
        what: was sent.
        concurrency: connections.
        requests_per_s: answered with 200.
        images_per_s: of them.
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


@contextmanager
def serving(module: str, *flags: str) -> Iterator[str]:
    """Runs the service on a free port.

    Args:
        module: ``service``, or ``bench.gpu.constant_service``.
        flags: of it.

    Yields:
        Its address.
    """
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", module, "--port", "0", *flags], env=environment, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if found := _ADDRESS.search(line):
                yield found[0]
                return
        raise SystemExit("the service did not start")
    finally:
        process.terminate()
        process.wait(60)


def png(shape: tuple[int, int, int]) -> bytes:
    """One picture of the model's size."""
    pixels = np.random.default_rng(2).integers(0, 256, shape, np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels if shape[2] == 3 else pixels[:, :, 0]).save(file, "PNG")
    return file.getvalue()


def npy(shape: tuple[int, int, int], images: int) -> bytes:
    """Many images as raw pixels."""
    file = io.BytesIO()
    np.save(file, np.random.default_rng(3).integers(0, 256, (images, *shape), np.uint8))
    return file.getvalue()


def load(
    url: str, path: str, body: bytes, kind: str, *, what: str, images: int, concurrency: int, seconds: float
) -> Load:
    """Sends the same body again and again.

    Args:
        url: of the service.
        path: of the endpoint.
        body: of each request.
        kind: its content type.
        what: it is, for the report.
        images: in it.
        concurrency: connections, each with a process of its own.
        seconds: to go on for.
    """
    context = multiprocessing.get_context("spawn")
    with context.Pool(concurrency) as pool:
        answers = pool.starmap(_client, [(url, path, body, kind, seconds)] * concurrency)
    times = np.sort(np.concatenate([times for times, _ in answers]))
    rate = len(times) / seconds
    p50, p99 = (float(np.quantile(times, share)) * 1e3 if len(times) else float("nan") for share in (0.5, 0.99))
    return Load(what, concurrency, rate, rate * images, p50, p99, sum(errors for _, errors in answers))


def _client(url: str, path: str, body: bytes, kind: str, seconds: float) -> tuple[list[float], int]:
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=60)
    headers = {"Content-Type": kind}
    times: list[float] = []
    errors = 0
    counts_from = time.perf_counter() + 0.5
    while (started := time.perf_counter()) < counts_from + seconds:
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        answer.read()
        if started < counts_from:
            continue
        if answer.status == 200:
            times.append(time.perf_counter() - started)
        else:
            errors += 1
    return times, errors
