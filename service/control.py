"""Brings models from the repository into the catalog, and takes them out again, while requests go on."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from service.batching import Batcher, Observer
from service.catalog import ModelCatalog, ServedModel
from service.decoding import Target
from service.errors import ModelNotFoundError, ModelRefusedError
from service.inference import LoadedModel, ModelRepository
from service.metrics import Metrics

logger = logging.getLogger(__name__)

Observe = Callable[[Observer, str, str], Observer]


@dataclass(frozen=True, slots=True)
class BatchingPolicy:
    """How each model's batcher is set up; see :class:`service.batching.Batcher`."""

    max_batch_size: int
    max_queue_delay_s: float
    queue_capacity: int
    loop_budget_s: float
    batches_in_flight: int


class ModelControl:
    """Loads and unloads models.

    Args:
        repository: where they come from.
        catalog: where they answer.
        policy: of their batchers.
        metrics: where they are counted.
        observe: puts an observer of its own around that of a model, given the model's name and version.
    """

    def __init__(
        self,
        repository: ModelRepository,
        catalog: ModelCatalog,
        policy: BatchingPolicy,
        metrics: Metrics,
        observe: Observe,
    ) -> None:
        self._repository = repository
        self._catalog = catalog
        self._policy = policy
        self._metrics = metrics
        self._observe = observe

    def load_all(self) -> None:
        """Loads every version of every model; one that is refused is logged by name and the others serve.

        Raises:
            ModelNotFoundError: none is left to serve.
            ProviderUnavailableError: the execution provider cannot be used.
        """
        for name, version in self._repository.found():
            try:
                self._catalog.publish(self._serve(self._repository.load(name, version)))
            except (ModelNotFoundError, ModelRefusedError) as error:
                logger.error("refused: %s", error)  # noqa: TRY400  the message says all; a trace would hide it

        if not any(True for _ in self._catalog):
            raise ModelNotFoundError(f"no model could be served from {self._repository.root}")

    async def close(self) -> None:
        """Returns when every model has answered what it had admitted; nothing more is admitted."""
        await asyncio.gather(*(model.batcher.close() for model in self._catalog))

    def _serve(self, loaded: LoadedModel) -> ServedModel:
        metadata = loaded.metadata
        metrics = self._metrics.add_model(metadata, loaded.session.provider)
        batcher = Batcher(
            loaded.session,
            name=metadata.name,
            max_batch_size=self._policy.max_batch_size,
            max_queue_delay_s=self._policy.max_queue_delay_s,
            queue_capacity=self._policy.queue_capacity,
            seconds_per_image=loaded.seconds_per_image,
            loop_budget_s=self._policy.loop_budget_s,
            batches_in_flight=self._policy.batches_in_flight,
            observer=self._observe(metrics, metadata.name, metadata.version),
            loop=asyncio.get_running_loop(),
        )
        metrics.watch(batcher)
        logger.info(
            "serving %s version %s on %s, %.0f images/s",
            metadata.name,
            metadata.version,
            loaded.session.provider,
            1 / loaded.seconds_per_image,
        )
        return ServedModel(metadata, Target.of(metadata), loaded.session.provider, batcher, metrics)
