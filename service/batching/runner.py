"""What a batcher drives, and whom it tells of each run."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from service.batching.batch import Batch


class Runner(Protocol):
    """Anything that turns a batch of images into a row of numbers for each."""

    def run(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Computes one batch; called by as many threads at once as there may be batches in flight.

        Args:
            images: uint8 [N, H, W, C], C-contiguous, not to be kept.

        Returns:
            float32 [N, K], row i for image i.
        """
        ...


class Observer(Protocol):
    """Anything that counts what becomes of requests and runs."""

    def ran(self, batch: Batch, inference_s: float, rows: NDArray[np.float32] | None) -> None:
        """Told of one finished run.

        Args:
            batch: that was run, with the entries that rode in it.
            inference_s: seconds that the run took.
            rows: its results, float32 [batch.size, K], not to be changed; None where the runner raised.
        """
        ...

    def rejected(self) -> None:
        """Told of a request that the queue had no room for."""
        ...

    def cancelled(self) -> None:
        """Told of a request that was taken out of the queue because nobody waited for it any more."""
        ...
