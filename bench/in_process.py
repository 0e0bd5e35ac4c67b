"""Times decoding and running in one process and one thread, without a server. Prints JSON.

Run as ``python -m bench.in_process``, pinned to the core that the servers get. The best of several repeats is the limit
for any server.
"""

import io
import json
from collections.abc import Callable
from functools import partial

import numpy as np
from PIL import Image

from bench.folders import SAMPLES
from bench.rate import runs_per_s
from bench.workloads import BULK_IMAGES, Network, default_file
from service.decoding import Decoder, DecodeThreads, Target, Upload
from service.http.body_budget import BodyBudget

BATCH_SIZES = (1, 4, 8, 16, 32, 64, 128, 256)
_REPEATS = 7
_REPEAT_S = 0.04


def measure() -> dict[str, float]:
    """Times decoding and running.

    Returns:
        Microseconds per image: ``<model>_decode_us`` (the service's decoder), ``<model>_pillow_us``,
        ``<model>_run_us`` (batch 1), and ``cifar10_run_<n>_us`` (batch n).
    """
    measured: dict[str, float] = {}
    with DecodeThreads(1) as threads:
        decoder = Decoder(
            max_pixels=1 << 24, loop_work_s=2e-3, threads=threads, children=None, budget=BodyBudget(1 << 30)
        )
        for name in ("cifar10", "mnist"):
            network = Network(default_file(name))
            target, files = Target.of(network.metadata), [path.read_bytes() for path in SAMPLES.glob(f"{name}_*.png")]
            uploads = [[Upload(data)] for data in files]
            pixels = np.concatenate([decoder.decode_now(upload, target) for upload in uploads])
            decode, pillow = partial(_decode, decoder, uploads, target), partial(_pillow, files, target)
            measured[f"{name}_decode_us"] = _fastest_us(decode, len(files))
            measured[f"{name}_pillow_us"] = _fastest_us(pillow, len(files))
            measured[f"{name}_run_us"] = _fastest_us(partial(network.run, pixels[:1].copy()), 1)
            if name == "cifar10":
                many = np.resize(pixels, (BULK_IMAGES, *pixels.shape[1:]))
                for size in BATCH_SIZES:
                    measured[f"{name}_run_{size}_us"] = _fastest_us(partial(network.run, many[:size].copy()), size)
    return {name: round(value, 2) for name, value in measured.items()}


def _decode(decoder: Decoder, uploads: list[list[Upload]], target: Target) -> None:
    """As the service does: a file of this size is decoded in the event loop."""
    for upload in uploads:
        decode = decoder.decode_soon(upload, target, [])
        assert callable(decode)
        decode()


def _pillow(files: list[bytes], target: Target) -> None:
    for data in files:
        np.asarray(Image.open(io.BytesIO(data)).convert(target.color_mode))


def _fastest_us(work: Callable[[], object], pieces: int) -> float:
    """Microseconds per piece, of the fastest of several repeats: other work on the machine can only add time."""
    return 1e6 / max(runs_per_s(work, _REPEAT_S) for _ in range(_REPEATS)) / pieces


if __name__ == "__main__":
    print(json.dumps(measure()))
