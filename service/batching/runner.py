"""The two interfaces that a batcher needs: a runner for its batches, and an observer that counts them."""

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from service.batching.batch import Batch


class Runner(Protocol):
    """Computes a row of numbers for each image of a batch."""

    def run_briefly(self, parts: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Computes one batch in the event loop, which must not stop for longer than 50 ms.

        Args:
            parts: C-contiguous uint8 arrays [n, H, W, C], which together are the batch of N images.

        Returns:
            float32 [N, K], row i for image i.

        Raises:
            TimeoutError: the run took too long and was ended early.
        """
        ...

    def start(
        self, parts: Sequence[NDArray[np.uint8]], done: Callable[[NDArray[np.float32] | Exception, float], None]
    ) -> Callable[[], None]:
        """Computes one batch in a thread and returns at once. The batcher keeps to the number of batches in flight.

        Args:
            parts: as in :meth:`run_briefly`.
            done: called in the thread with the rows or the error, and the seconds that the run took.

        Returns:
            A function that ends the run early, for when no request waits for its rows any more; ``done`` then gets a
            TimeoutError.
        """
        ...


class Observer(Protocol):
    """Counts runs and the outcomes of requests."""

    def ran(self, batch: Batch, inference_s: float, rows: NDArray[np.float32] | None) -> None:
        """Called after each run, except those that were ended early.

        Args:
            batch: the batch of this run, with its entries.
            inference_s: seconds that the run took.
            rows: its finite results, float32 [n, K], n at most ``batch.size``; the observer must not change them. None
                where the runner raised an error.
        """
        ...

    def not_finite(self, images: int) -> None:
        """Called after a run whose rows are not finite (NaN or infinite) for some images.

        Args:
            images: how many.
        """
        ...

    def rejected(self) -> None:
        """Called for each request that the queue had no room for."""
        ...

    def cancelled(self) -> None:
        """Called for each request that was dropped because its client had disconnected or its caller was cancelled."""
        ...
