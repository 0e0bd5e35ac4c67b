"""Keeps the metrics that other workers show of this one up to date."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from service.telemetry.metrics.service import Metrics

_FOLD_EVERY_S: Final = 1.0


@asynccontextmanager
async def folding(metrics: Metrics, workers: int) -> AsyncIterator[None]:
    """Folds now and then while the context lasts, and at its end; a worker that is alone folds when it is asked.

    Args:
        metrics: of this worker.
        workers: how many there are.
    """

    async def fold_now_and_then() -> None:
        while True:
            metrics.fold()
            await asyncio.sleep(_FOLD_EVERY_S)

    task = asyncio.create_task(fold_now_and_then()) if workers > 1 else None
    try:
        yield
    finally:
        if task is not None:
            task.cancel()
        metrics.fold()
