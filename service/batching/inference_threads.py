"""The threads that run a session's batches when they take too long for the event loop: one for each in flight."""

import asyncio
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue

import numpy as np
from numpy.typing import NDArray

from service.batching.batch import Batch
from service.batching.runner import Runner

DoneCallback = Callable[[Batch, NDArray[np.float32] | Exception, float], None]


class InferenceThreads:
    """Runs batches, begun in order, and tells the event loop of each: one wake-up a batch.

    Args:
        runner: does the work, for as many threads at once as there are.
        done: called in the event loop with the batch, its rows or what was raised, and the seconds that the run took.
        loop: the event loop.
        name: of the threads, for people who look at stacks.
        count: how many.
    """

    def __init__(
        self, runner: Runner, done: DoneCallback, loop: asyncio.AbstractEventLoop, name: str, count: int
    ) -> None:
        self._runner = runner
        self._done = done
        self._loop = loop
        self._batches: SimpleQueue[tuple[Batch, NDArray[np.uint8]] | None] = SimpleQueue()
        self._count = count
        for index in range(count):
            threading.Thread(target=self._work, name=f"{name}-{index}", daemon=True).start()

    def put(self, batch: Batch) -> None:
        """Packs a batch in the calling thread and hands it over."""
        self._batches.put((batch, batch.pack()))

    def stop(self) -> None:
        """Lets the threads end after what they were given."""
        for _ in range(self._count):
            self._batches.put(None)

    def _work(self) -> None:
        while (item := self._batches.get()) is not None:
            batch, images = item
            started = time.perf_counter()
            try:
                outcome: NDArray[np.float32] | Exception = self._runner.run(images)
            except Exception as error:  # noqa: BLE001  whatever a runtime raises belongs to this batch's callers
                outcome = error
            self._loop.call_soon_threadsafe(self._done, batch, outcome, time.perf_counter() - started)
