"""Ends a decoder that computes longer than files of its kind do.

What a file costs is estimated from its headers, and what they say is counted. What is left, such as a million empty
blocks in a stream of deflate, only shows while decoding. Pillow feeds most of its decoders block by block: between two
blocks the CPU time of the thread is looked at.
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
"""What Pillow is let read at once: the slowest stream of deflate takes 2 ms for it."""

_BLOCK_BYTES = 4096  # a read of less is one of the header's
_SAMPLE = zlib.compress((np.arange(1 << 16, dtype=np.uint32) ** 2 >> 7).astype(np.uint8).tobytes(), 6)
_SAMPLE_S = 7e-5  # on the core that the estimates were measured on
_SAMPLES, _SAMPLES_AGAIN = 15, 5
_COLLECTION_S = 0.2  # of garbage, all of it, in a process with many objects
_LEAST_SLOWNESS, _MOST_SLOWNESS = 1.0, 20.0


@cache
def slowness() -> float:
    """How many times longer than the core of the estimates this machine's takes, measured once."""
    return _measure_slowness(_SAMPLES)


class Meter:
    """Watches the CPU time of the calling thread.

    Args:
        work_s: that the thread is about to do by estimate, in seconds.
        least_s: that it may take whatever the estimate.
    """

    def __init__(self, work_s: float, least_s: float = LEAST_METERED_S) -> None:
        self._most_s = max(least_s, MAX_SLOWDOWN * work_s)
        most_s = self._most_s * slowness()
        self._started_s = time.thread_time()
        self._end_s = self._started_s + most_s
        self._young_collections = _young_collections()

    def check(self) -> None:
        """Does nothing while there is time.

        Raises:
            TooSlowError: it is spent, and neither because the machine has become slow meanwhile nor because the thread
                has collected garbage.
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
        meter: asked before each block.
    """

    def __init__(self, data: bytes, meter: Meter) -> None:
        super().__init__(data)
        self._meter = meter

    def read(self, size: int | None = -1, /) -> bytes:
        """Reads as ever.

        Raises:
            TooSlowError: the time is spent.
        """
        if size is not None and size >= _BLOCK_BYTES:
            self._meter.check()
        return super().read(size)


def most_cpu_s(work_s: float) -> float:
    """CPU time, in seconds, after which a process is ended that was estimated to compute for ``work_s``."""
    return max(LEAST_CHILD_S, MAX_SLOWDOWN * work_s) * slowness()


def _measure_slowness(samples: int) -> float:
    best = float("inf")
    for _ in range(samples):
        started = time.thread_time()
        zlib.decompress(_SAMPLE)
        best = min(best, time.thread_time() - started)
    return min(_MOST_SLOWNESS, max(_LEAST_SLOWNESS, best / _SAMPLE_S))


def _young_collections() -> int:
    """How often younger garbage has been collected since all of it was; falls when all of it is."""
    return gc.get_count()[2]
