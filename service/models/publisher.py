"""Adds loaded models to the catalog, and frees models that were removed from it.

::

    LoadedModel ─ metrics, batcher ─> catalog: answers from the next request on
    KnownModel ─ metrics ───────────> catalog: its first request waits until `start` has made its batcher
    a replaced or withdrawn model ──> admits no requests, answers those that it has ─> its memory is freed
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from service.batching import Batcher, Observer
from service.decoding import Target
from service.errors import OverloadedError
from service.inference import KnownModel, LoadedModel
from service.inference.inspection import Inspection
from service.models.catalog import Engine, ModelCatalog, ServedModel
from service.models.daemon_thread import run_in_daemon_thread
from service.models.freed_memory import return_freed_memory
from service.telemetry.metrics import Metrics

logger = logging.getLogger(__name__)

Observe = Callable[[Observer, str, str], Observer]

_TRIM_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class BatchingPolicy:
    """The parameters of batchers that do not depend on the session; see :class:`service.batching.Batcher`."""

    max_queue_delay_s: float
    queue_capacity: int
    loop_budget_s: float


class ModelPublisher:
    """Adds models to the catalog and removes them.

    Args:
        catalog: of the served models.
        policy: configures their batchers.
        metrics: counts their requests and runs.
        observe: wraps a model's observer of batches, given the model's name and version.
    """

    def __init__(self, catalog: ModelCatalog, policy: BatchingPolicy, metrics: Metrics, observe: Observe) -> None:
        self._catalog = catalog
        self._policy = policy
        self._metrics = metrics
        self._observe = observe
        self._draining: set[asyncio.Task[None]] = set()

    def publish(self, found: LoadedModel | KnownModel) -> None:
        """Adds a model, which answers from the next request on; replaces one of the same name and version."""
        metadata, source, provider = found.metadata, found.source, found.provider
        metrics = self._metrics.add_model(metadata, provider)
        model = ServedModel(metadata, Target.of(metadata), metrics, source.sha256, Inspection(source), provider)
        if isinstance(found, LoadedModel):
            self.start(model, found)
        else:
            metrics.expects(self._policy.queue_capacity)
            logger.info("%s version %s is loaded at its first request", metadata.name, metadata.version)
        replaced = self._catalog.publish(model)
        if replaced is not None:
            self._drain(replaced)

    def start(self, model: ServedModel, loaded: LoadedModel) -> Engine:
        """Makes the engine of a model that was opened."""
        model.engine = self._make_engine(model, loaded)
        return model.engine

    def withdraw(self, name: str, version: str) -> None:
        """Removes a model. Its admitted requests are still answered.

        Raises:
            ModelNotFoundError: it is not served.
        """
        self._drain(self._catalog.withdraw(name, version))

    async def release(self) -> None:
        """Waits until every replaced or withdrawn model has answered its admitted requests and is freed."""
        await asyncio.gather(*self._draining)

    async def close(self) -> None:
        """Admits no more requests, and waits until every model has answered its admitted requests."""
        engines = [model.engine for model in self._catalog if model.engine is not None]
        await asyncio.gather(*(engine.batcher.close() for engine in engines), self.release())

    def _drain(self, model: ServedModel) -> None:
        task = asyncio.get_running_loop().create_task(self._release(model))
        self._draining.add(task)
        task.add_done_callback(self._draining.discard)

    async def _release(self, model: ServedModel) -> None:
        if model.engine is not None:
            await model.engine.batcher.close()
            model.engine.session.close()
        name, version = model.metadata.name, model.metadata.version
        replaced_on = (
            other.provider
            for other in self._catalog
            if (other.metadata.name, other.metadata.version) == (name, version)
        )
        model.metrics.close(replaced_on=next(replaced_on, None))
        with suppress(TimeoutError, OverloadedError):
            await run_in_daemon_thread(return_freed_memory, name="free-memory", timeout_s=_TRIM_TIMEOUT_S)
        self._metrics.forget(model.metrics)  # after requests had time to count their answers

    def _make_engine(self, model: ServedModel, loaded: LoadedModel) -> Engine:
        metadata, metrics = loaded.metadata, model.metrics
        if loaded.session.provider != model.provider:
            model.provider = loaded.session.provider
            metrics.runs_on(model.provider)
        batcher = Batcher(
            loaded.session,
            name=metadata.name,
            max_batch_size=loaded.session.max_batch_size,
            max_queue_delay_s=self._policy.max_queue_delay_s,
            queue_capacity=self._policy.queue_capacity,
            seconds_per_image=loaded.seconds_per_image,
            # On a GPU a small batch takes as long as a large one, so no run may block the event loop.
            loop_budget_s=self._policy.loop_budget_s if loaded.session.provider == "cpu" else 0.0,
            batches_in_flight=loaded.session.batches_in_flight,
            observer=self._observe(metrics, metadata.name, metadata.version),
            loop=asyncio.get_running_loop(),
        )
        metrics.watch(batcher)
        logger.info(
            "serving %s version %s on %s, %.0f images/s in batches of up to %d",
            metadata.name,
            metadata.version,
            loaded.session.provider,
            1 / loaded.seconds_per_image,
            loaded.session.max_batch_size,
        )
        return Engine(loaded.session, batcher)
