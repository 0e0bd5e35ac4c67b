"""A request in the queue, together with its answer."""

import asyncio
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

_NO_IMAGES: NDArray[np.uint8] = np.empty((0, 0, 0, 0), np.uint8)
_NO_ROWS: NDArray[np.float32] = np.empty((0, 0), np.float32)


class QueueEntry:
    """The images of one request, from the moment it is queued until its rows are complete.

    The images of a request that is larger than a batch go into several runs; their rows are collected here.

    Attributes:
        count: n, the number of images.
        images: uint8 [n, H, W, C]; empty until :meth:`prepare`.
        prepare_s: seconds that :meth:`prepare` took.
        deadline: on the clock of ``time.perf_counter``, in seconds; after it the entry is dropped.
        is_abandoned: whether the client has disconnected.
        future: done when every row is here, or when the request has failed with an error.
        enqueued_at: on the clock of ``time.perf_counter``, in seconds; later by ``prepare_s`` once it was prepared.
        origin: identifies the request to an observer.
        queue_s: seconds waited before the first image was taken, without those of :meth:`prepare`.
        inference_s: sum of the seconds of its runs.
        batch_size: images in the largest of its runs.
        rows: float32 [n, K], the runner's results for each image, once ``future`` is done.
        taken: number of images that have gone into a batch.
        answered: number of images whose rows are here.
        is_prepared: whether the images are decoded.
    """

    __slots__ = (
        "_source",
        "answered",
        "batch_size",
        "count",
        "deadline",
        "enqueued_at",
        "future",
        "images",
        "inference_s",
        "is_abandoned",
        "is_prepared",
        "origin",
        "prepare_s",
        "queue_s",
        "rows",
        "taken",
    )

    def __init__(
        self,
        source: Callable[[], NDArray[np.uint8]] | NDArray[np.uint8],
        count: int,
        *,
        deadline: float,
        is_abandoned: Callable[[], bool],
        future: asyncio.Future[None],
        enqueued_at: float,
        origin: object,
    ) -> None:
        self._source: Callable[[], NDArray[np.uint8]] | None
        if callable(source):
            self.images, self._source, self.is_prepared = _NO_IMAGES, source, False
        else:
            self.images, self._source, self.is_prepared = source, None, True
        self.count = count
        self.prepare_s = 0.0
        self.deadline = deadline
        self.is_abandoned = is_abandoned
        self.future = future
        self.enqueued_at = enqueued_at
        self.origin = origin
        self.queue_s = 0.0
        self.inference_s = 0.0
        self.batch_size = 0
        self.rows = _NO_ROWS
        self.taken = 0
        self.answered = 0

    def prepare(self) -> None:
        """Decodes the images, unless they are decoded already.

        Raises:
            Exception: any error that decoding raises.
        """
        if self._source is not None:
            started = time.perf_counter()
            self.images = self._source()
            self._source, self.is_prepared = None, True
            self.prepare_s = time.perf_counter() - started

    def accept(self, rows: NDArray[np.float32], start: int, inference_s: float, batch_size: int) -> None:
        """Takes the rows of one run.

        Args:
            rows: float32 [k, K], for the images from ``start`` on.
            start: index of the first of them.
            inference_s: seconds that the run took.
            batch_size: images in the run.
        """
        self.inference_s += inference_s
        self.batch_size = max(self.batch_size, batch_size)
        count = len(rows)
        if count == self.count:
            self.rows = rows
        else:
            if self.answered == 0:
                self.rows = np.empty((self.count, rows.shape[1]), np.float32)
            self.rows[start : start + count] = rows
        self.answered += count
        if self.answered == self.count and not self.future.done():
            self.future.set_result(None)

    def fail(self, error: BaseException) -> None:
        """Ends the wait with an error, unless it has already ended."""
        if not self.future.done():
            self.future.set_exception(error)
