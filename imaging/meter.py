"""Ends a decoder that takes much longer than others of its format and size.

The cost of a file is estimated from its headers, and its parts are counted. Other costs, such as a million empty blocks
in a deflate stream, are found only while decoding. Pillow feeds most of its decoders block by block, so the CPU time of
the thread is checked between two blocks.
"""

import gc
import io
import time
import zlib
from functools import cache

import numpy as np

from imaging.errors import TooSlowError
from imaging.limits import LEAST_CHILD_S, LEAST_METERED_S, MAX_SLOWDOWN

METERED_BYTES = 1 << 14
"""Block size for Pillow: the slowest deflate stream of this length takes 2 ms."""

_BLOCK_BYTES = 4096  # shorter reads are those of the header
_SAMPLE = zlib.compress((np.arange(1 << 16, dtype=np.uint32) ** 2 >> 7).astype(np.uint8).tobytes(), 6)
_SAMPLE_S = 7e-5  # on the core that the estimates were measured on
_SAMPLES, _SAMPLES_AGAIN = 15, 5
_COLLECTION_S = 0.2  # of a full garbage collection in a process with many objects
_LEAST_SLOWNESS, _MOST_SLOWNESS = 1.0, 20.0


@cache
def slowness() -> float:
    """How many times slower this machine's core is than the reference core of the estimates; measured once."""
    return _measure_slowness(_SAMPLES)


class Meter:
    """Watches the CPU time of the calling thread.

    Args:
        work_s: estimated CPU time of the work that the thread begins, in seconds.
        least_s: least limit, for small estimates.
    """

    def __init__(self, work_s: float, least_s: float = LEAST_METERED_S) -> None:
        self._most_s = max(least_s, MAX_SLOWDOWN * work_s)
        most_s = self._most_s * slowness()
        self._started_s = time.thread_time()
        self._end_s = self._started_s + most_s
        self._young_collections = _young_collections()

    def check(self) -> None:
        """Checks the time since the start.

        Raises:
            TooSlowError: the limit is exceeded, even after the machine's speed was measured again and time for a full
                garbage collection was allowed for.
        """
        now_s = time.thread_time()
        if now_s <= self._end_s:
            return
        self._end_s = self._started_s + self._most_s * max(slowness(), _measure_slowness(_SAMPLES_AGAIN))
        if _young_collections() < self._young_collections:
            self._end_s += _COLLECTION_S
        if now_s > self._end_s:
            raise TooSlowError


class MeteredFile(io.BytesIO):
    """A file whose reader is ended when its thread has computed too long.

    Args:
        data: the whole file.
        meter: checked before each block.
    """

    def __init__(self, data: bytes, meter: Meter) -> None:
        super().__init__(data)
        self._meter = meter

    def read(self, size: int | None = -1, /) -> bytes:
        """Reads like ``io.BytesIO``.

        Raises:
            TooSlowError: the time limit is exceeded.
        """
        if size is not None and size >= _BLOCK_BYTES:
            self._meter.check()
        return super().read(size)


def most_cpu_s(work_s: float) -> float:
    """Limit of CPU time, in seconds, of a process whose estimated work is ``work_s``."""
    return max(LEAST_CHILD_S, MAX_SLOWDOWN * work_s) * slowness()


def _measure_slowness(samples: int) -> float:
    best = float("inf")
    for _ in range(samples):
        started = time.thread_time()
        zlib.decompress(_SAMPLE)
        best = min(best, time.thread_time() - started)
    return min(_MOST_SLOWNESS, max(_LEAST_SLOWNESS, best / _SAMPLE_S))


def _young_collections() -> int:
    """Number of younger collections since the last full garbage collection; a full one resets it."""
    return gc.get_count()[2]
