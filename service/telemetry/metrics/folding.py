"""Adds buffered counts to the metrics in time, because any worker may show them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from service.telemetry.metrics.service import Metrics

_FOLD_EVERY_S: Final = 1.0


@asynccontextmanager
async def folding(metrics: Metrics, workers: int) -> AsyncIterator[None]:
    """Adds buffered counts to the metrics every second, and at the end of the context.

    A worker without others does so only at the end: it adds them whenever it makes its page.

    Args:
        metrics: of this worker.
        workers: number of workers.
    """

    async def fold_every_second() -> None:
        while True:
            metrics.fold()
            await asyncio.sleep(_FOLD_EVERY_S)

    task = asyncio.create_task(fold_every_second()) if workers > 1 else None
    try:
        yield
    finally:
        if task is not None:
            task.cancel()
        metrics.fold()
