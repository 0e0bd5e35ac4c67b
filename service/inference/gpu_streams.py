"""Several batches in flight on one device: while one computes, the next is copied to it.

::

    run(images) ─> the thread of a free lane: stage, padded to a bucket ─> copy in, compute, copy out ─> rows
    run(images) ─> the thread of another lane: the same, at the same time

What is particular to a device stands behind :class:`Lane`, so all of this also runs over a CPU session, and over a
simulated device in the tests.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from service.inference.buckets import bucket_of, bucket_sizes

_WARM_UP_RUNS = 3  # ONNX Runtime allocates in the first, may still allocate in the second, and then captures


class Lane(Protocol):
    """One way through a device, with buffers and a stream of its own. Made and used in one thread only.

    ONNX Runtime keeps a captured CUDA graph with the thread that captured it: a run in another thread would capture
    anew, at the cost of a request.
    """

    @property
    def staging(self) -> NDArray[np.uint8]:
        """Where images wait for their copy, uint8 [largest bucket, H, W, C]; the same memory at every run."""
        ...

    def compute(self, batch_size: int) -> NDArray[np.float32]:
        """Runs over the first images of :attr:`staging`.

        Args:
            batch_size: a bucket.

        Returns:
            float32 [batch_size, K], memory of the caller's own.
        """
        ...


class Lanes:
    """Runs batches of up to ``max_batch_size`` images; as many at once as there are lanes.

    Args:
        make_lane: makes one lane; called once in each lane's thread.
        count: how many.
        max_batch_size: most images in one run.

    Raises:
        Exception: whatever making a lane raises.
    """

    def __init__(self, make_lane: Callable[[], Lane], *, count: int, max_batch_size: int) -> None:
        self._buckets = bucket_sizes(max_batch_size)
        self._free: SimpleQueue[_LaneThread] = SimpleQueue()
        self._threads = [_LaneThread(make_lane) for _ in range(count)]
        for thread in self._threads:
            thread.start()
            self._free.put(thread)

    @property
    def count(self) -> int:
        """Batches that may be in flight at once."""
        return len(self._threads)

    def warm_up(self) -> None:
        """Runs every bucket in every lane, so that no request waits for a first time."""
        for thread in self._threads:
            for bucket in self._buckets:
                for _ in range(_WARM_UP_RUNS):
                    thread.submit_compute(bucket).result()

    def run(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Computes one batch; may be called from several threads, and waits for a free lane.

        Args:
            images: uint8 [N, H, W, C], N at most ``max_batch_size``.

        Returns:
            float32 [N, K].

        Raises:
            Exception: whatever the device raises; the lane goes on.
        """
        bucket = bucket_of(len(images), self._buckets)
        thread = self._free.get()
        try:
            return thread.submit(images, bucket).result()
        finally:
            self._free.put(thread)


class _LaneThread:
    """A lane and the one thread that makes and uses it. The thread ends when nobody holds it any more."""

    def __init__(self, make_lane: Callable[[], Lane]) -> None:
        self._make_lane = make_lane
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="lane")

    def start(self) -> None:
        self._lane = self._executor.submit(self._make_lane).result()

    def submit(self, images: NDArray[np.uint8], bucket: int) -> Future[NDArray[np.float32]]:
        return self._executor.submit(self._run, images, bucket)

    def submit_compute(self, bucket: int) -> Future[NDArray[np.float32]]:
        return self._executor.submit(self._lane.compute, bucket)

    def _run(self, images: NDArray[np.uint8], bucket: int) -> NDArray[np.float32]:
        count = len(images)
        # What pads the batch is whatever an earlier one left there: its rows are computed, and dropped.
        self._lane.staging[:count] = images
        return self._lane.compute(bucket)[:count]
