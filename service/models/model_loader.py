"""Brings models from the repository into the catalog, and takes them out again, while requests go on.

::

    file ─ in a thread: load, check, warm up ─> new batcher ─ publish ─> answers from the next request on
                         └ refused: named, and what answered goes on       └ the old one drains: admits nothing,
                                                                             answers what it had, and is let go
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from service.batching import Batcher, Observer
from service.decoding import Target
from service.errors import ConvoyError, ModelNotFoundError, ModelRefusedError
from service.inference import LoadedModel, ModelRepository
from service.models.catalog import ModelCatalog, ServedModel
from service.telemetry.metrics import Metrics

logger = logging.getLogger(__name__)

Observe = Callable[[Observer, str, str], Observer]


@dataclass(frozen=True, slots=True)
class BatchingPolicy:
    """How each model's batcher is set up, beyond what its session says; see :class:`service.batching.Batcher`."""

    max_queue_delay_s: float
    queue_capacity: int
    loop_budget_s: float


class IndexEntry(NamedTuple):
    """One version of one model, served or not.

    Attributes:
        name: of the model.
        version: of the model.
        ready: whether it answers.
        reason: why it does not; empty where it does.
    """

    name: str
    version: str
    ready: bool
    reason: str


class ModelLoader:
    """Loads and unloads models. One change is made at a time; requests do not wait for it.

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
        self._changing = asyncio.Lock()
        self._reasons: dict[tuple[str, str], str] = {}
        self._draining: set[asyncio.Task[None]] = set()

    def load_all(self) -> None:
        """Loads every version of every model; one that is refused is logged by name and the others serve.

        Raises:
            ModelNotFoundError: none is left to serve.
            ProviderUnavailableError: the execution provider cannot be used.
        """
        for name, version in self._repository.found():
            try:
                self._publish(self._repository.load(name, version))
            except (ModelNotFoundError, ModelRefusedError) as error:
                self._refuse(name, version, error)
        if not any(True for _ in self._catalog):
            raise ModelNotFoundError(f"no model could be served from {self._repository.root}")

    async def load(self, name: str, version: str | None = None) -> list[str]:
        """Loads a model, or loads it anew: its file is checked beside what answers, and takes over only if it passes.

        Args:
            name: of the model.
            version: of it; None is every version in the repository.

        Returns:
            The versions loaded.

        Raises:
            ModelNotFoundError: the repository has no such file.
            ModelRefusedError: a file fails a check; what answered before goes on, and so do the versions that passed.
        """
        async with self._changing:
            versions = await asyncio.to_thread(self._versions, name, version)
            refused = []
            for found in versions:
                try:
                    loaded = await asyncio.to_thread(self._repository.load, name, found)
                except ConvoyError as error:
                    self._refuse(name, found, error)
                    refused.append(error)
                else:
                    self._publish(loaded)
            if refused:
                raise refused[0] if len(refused) == 1 else ModelRefusedError("; ".join(map(str, refused)))
            return versions

    async def unload(self, name: str, version: str | None = None) -> list[str]:
        """Takes a model out. Requests that it has admitted are still answered.

        Args:
            name: of the model.
            version: of it; None is every version that answers.

        Returns:
            The versions taken out.

        Raises:
            ModelNotFoundError: it is not served.
        """
        async with self._changing:
            if version is None:
                versions = [model.metadata.version for model in self._catalog.versions(name)]
            else:
                versions = [version]
            for served in versions:
                self._drain(self._catalog.withdraw(name, served))
                self._reasons[name, served] = "unloaded"
                logger.info("unloaded %s version %s", name, served)
            return versions

    async def index(self) -> list[IndexEntry]:
        """Every version that answers or lies in the repository, sorted."""
        ready = {(model.metadata.name, model.metadata.version) for model in self._catalog}
        found = await asyncio.to_thread(lambda: set(self._repository.found()))
        return [
            IndexEntry(name, version, (name, version) in ready, self._reason(name, version, ready))
            for name, version in sorted(ready | found, key=lambda entry: (entry[0], int(entry[1])))
        ]

    async def fingerprints(self) -> dict[tuple[str, str], tuple[int, ...]]:
        """As :meth:`service.inference.ModelRepository.fingerprints`."""
        return await asyncio.to_thread(self._repository.fingerprints)

    async def close(self) -> None:
        """Returns when every model has answered what it had admitted; nothing more is admitted."""
        await asyncio.gather(*(model.batcher.close() for model in self._catalog), *self._draining)

    def _versions(self, name: str, version: str | None) -> list[str]:
        found = [there for model, there in self._repository.found() if model == name and version in (None, there)]
        if not found:
            wanted = f"{name[:64]}/{version[:16]}" if version else name[:64]
            raise ModelNotFoundError(f"the model repository has no {wanted}")
        return found

    def _reason(self, name: str, version: str, ready: set[tuple[str, str]]) -> str:
        return "" if (name, version) in ready else self._reasons.get((name, version), "not loaded")

    def _refuse(self, name: str, version: str, error: ConvoyError) -> None:
        self._reasons[name, version] = str(error)
        logger.error("refused: %s", error)

    def _publish(self, loaded: LoadedModel) -> None:
        replaced = self._catalog.publish(self._serve(loaded))
        if replaced is not None:
            self._drain(replaced)

    def _drain(self, model: ServedModel) -> None:
        task = asyncio.get_running_loop().create_task(self._let_go(model))
        self._draining.add(task)
        task.add_done_callback(self._draining.discard)

    async def _let_go(self, model: ServedModel) -> None:
        await model.batcher.close()
        name, version = model.metadata.name, model.metadata.version
        served = any((other.metadata.name, other.metadata.version) == (name, version) for other in self._catalog)
        model.metrics.close(is_replaced=served)

    def _serve(self, loaded: LoadedModel) -> ServedModel:
        metadata = loaded.metadata
        metrics = self._metrics.add_model(metadata, loaded.session.provider)
        batcher = Batcher(
            loaded.session,
            name=metadata.name,
            max_batch_size=loaded.session.max_batch_size,
            max_queue_delay_s=self._policy.max_queue_delay_s,
            queue_capacity=self._policy.queue_capacity,
            seconds_per_image=loaded.seconds_per_image,
            # The time of a run on a GPU does not shrink with its batch: none may hold up the event loop.
            loop_budget_s=self._policy.loop_budget_s if loaded.session.provider == "cpu" else 0.0,
            batches_in_flight=loaded.session.batches_in_flight,
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
