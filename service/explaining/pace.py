"""Decides when explanations run, so that predictions keep nine tenths of the service's throughput.

::

    slice, which takes d ─> pause of d ─> was anything predicted since the last slice? ────no──> next slice
                                                               └─yes─> pause of 12 d, at least 80 ms ─> next slice

Only one explanation is made at a time, for all models together, so a prediction waits for at most one slice. Without
predictions, explanations run at full speed. The 80 ms compensate for the other costs of an explanation: its picture is
decoded, its map is written, and predictions lose their data in the processor's caches.
"""

import asyncio
from collections.abc import Iterable
from typing import Final

from service.batching import Batcher
from service.explaining.occlusion import PATCHES
from service.models.catalog import ServedModel

_REST: Final = 12  # times the duration of a slice
_LEAST_REST_S: Final = 80e-3


class Pace:
    """Paces the explanations of one service. Belongs to the event loop.

    Attributes:
        turn: lock of the explanation in progress.
    """

    def __init__(self) -> None:
        self.turn = asyncio.Lock()
        self._predicted: object = None

    async def rest(self, slice_s: float, models: Iterable[ServedModel]) -> None:
        """Waits until the next slice may run.

        Args:
            slice_s: seconds that the last slice took, without its time in the queue.
            models: all served models, which share the event loop and the processor.
        """
        await asyncio.sleep(slice_s)
        if self._is_predicting(models):
            await asyncio.sleep(max(_REST * slice_s, _LEAST_REST_S))

    def _is_predicting(self, models: Iterable[ServedModel]) -> bool:
        """Whether any prediction is in progress, or was made since the last call, also by an earlier explanation."""
        predicted, is_busy = [], False
        for model in models:
            predicted.append(model.metrics.recent)
            if model.engine is not None:
                batcher = model.engine.batcher
                is_busy |= batcher.outstanding > explained_images(batcher) * model.metrics.probes
        is_busy |= predicted != self._predicted
        self._predicted = predicted
        return is_busy


def explained_images(batcher: Batcher) -> int:
    """The number of images that an explanation counts as in a model's queue."""
    return min(PATCHES, batcher.capacity)
