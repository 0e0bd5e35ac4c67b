"""One batch: parts of entries, packed for one run."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.batching.queue_entry import QueueEntry


class Part(NamedTuple):
    """Images ``start`` to ``stop`` of one entry."""

    entry: QueueEntry
    start: int
    stop: int


class Batch:
    """What goes into one run.

    Args:
        parts: at least one, in the order of the queue.
        formed_at: when, on the clock of ``time.perf_counter``.

    Attributes:
        size: how many images.
    """

    __slots__ = ("formed_at", "parts", "size")

    def __init__(self, parts: list[Part], formed_at: float) -> None:
        self.parts = parts
        self.formed_at = formed_at
        self.size = sum(stop - start for _, start, stop in parts)

    def pack(self) -> NDArray[np.uint8]:
        """The images, uint8 [size, H, W, C]; a view where they all come from one request."""
        if len(self.parts) == 1:
            entry, start, stop = self.parts[0]
            return entry.images[start:stop]
        return np.concatenate([entry.images[start:stop] for entry, start, stop in self.parts])

    def deliver(self, rows: NDArray[np.float32], inference_s: float) -> None:
        """Hands each entry its rows.

        Args:
            rows: float32 [size, K].
            inference_s: seconds that the run took.
        """
        offset = 0
        for entry, start, stop in self.parts:
            count = stop - start
            entry.accept(rows[offset : offset + count], start, inference_s, self.size)
            offset += count
