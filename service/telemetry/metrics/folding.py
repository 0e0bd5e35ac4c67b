"""Adds buffered counts to the metrics at intervals, because any worker may be scraped."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from service.telemetry.metrics.service import Metrics

_FOLD_EVERY_S: Final = 1.0


@asynccontextmanager
async def folding(metrics: Metrics, workers: int) -> AsyncIterator[None]:
    """Adds buffered counts to the metrics every second, and at the end of the context.

    A single worker does so only at the end, since it adds them before each scrape.

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
