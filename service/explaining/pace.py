"""When explanations run, so that predictions keep nine tenths of the service.

::

    slice, which takes d ─> pause of d ─> was anything predicted since the slice before? ──no──> next slice
                                                               └─yes─> pause of 12 d, at least 80 ms ─> next slice

One explanation is made at a time, whatever model it is of, so a prediction waits for no more than one slice. A service
that predicts nothing else explains at full speed. The 80 ms make up for what an explanation costs beside its
slices: its picture is decoded, its map is written, and predictions no longer find their data in the processor's caches.
"""

import asyncio
from collections.abc import Iterable
from typing import Final

from service.batching import Batcher
from service.explaining.occlusion import PATCHES
from service.models.catalog import ServedModel

_REST: Final = 12  # times what a slice takes
_LEAST_REST_S: Final = 80e-3


class Pace:
    """Paces the explanations of one service. Belongs to the event loop.

    Attributes:
        turn: held by the explanation that is being made.
    """

    def __init__(self) -> None:
        self.turn = asyncio.Lock()
        self._predicted: object = None

    async def rest(self, slice_s: float, models: Iterable[ServedModel]) -> None:
        """Waits until the next slice may run.

        Args:
            slice_s: seconds that the slice before took, its time in the queue left out.
            models: all that are served: they share the event loop and the processor.
        """
        await asyncio.sleep(slice_s)
        if self._is_predicting(models):
            await asyncio.sleep(max(_REST * slice_s, _LEAST_REST_S))

    def _is_predicting(self, models: Iterable[ServedModel]) -> bool:
        """Whether anything is being predicted, or was since this was asked before, by an earlier explanation even."""
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
    """As how many images an explanation counts in a model's queue."""
    return min(PATCHES, batcher.capacity)
