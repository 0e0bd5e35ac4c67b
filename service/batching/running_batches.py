"""The batches that are being run."""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Final

from service.batching.batch import Batch
from service.batching.queue_entry import QueueEntry
from service.errors import DeadlineExceededError

_STOP_TIMEOUT_S: Final = 1.0
"""Longest wait for a run to end: ONNX Runtime first finishes the node of the graph that it is computing."""


class RunningBatches:
    """Knows which batches are being run. Belongs to the event loop."""

    def __init__(self) -> None:
        self._batches: set[Batch] = set()
        self._is_empty: asyncio.Event | None = None

    def __len__(self) -> int:
        """How many batches are being run."""
        return len(self._batches)

    def add(self, batch: Batch) -> None:
        """Notes that a run begins."""
        self._batches.add(batch)

    def remove(self, batch: Batch) -> None:
        """Notes that a run has ended."""
        self._batches.discard(batch)
        if self._is_empty is not None and not self._batches:
            self._is_empty.set()

    def entries(self) -> Iterator[QueueEntry]:
        """The entries in these batches; one that is larger than a batch may come twice."""
        return (part.entry for batch in self._batches for part in batch.parts)

    def expire(self, now: float) -> None:
        """Answers the entries whose deadline has passed, and ends the runs that no entry waits for any more.

        Args:
            now: the present time on the clock of ``time.perf_counter``, in seconds.
        """
        for batch in self._batches:
            for part in batch.parts:
                if part.entry.deadline <= now:
                    part.entry.fail(DeadlineExceededError("the time limit passed before the answer was ready"))
            if not batch.is_needed():
                batch.stop_run()

    async def stop(self) -> None:
        """Ends all runs early and waits until they have ended.

        A process whose interpreter ends during a run is aborted: the run's thread cannot return to Python any more.
        """
        if not self._batches:
            return
        self._is_empty = asyncio.Event()
        for batch in self._batches:
            batch.stop_run()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_STOP_TIMEOUT_S):
                await self._is_empty.wait()
