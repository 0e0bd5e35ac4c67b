"""Opens a served version without an engine at its first request, or before it becomes the default.

::

    first request ──┬─> file ─> engine ─> all waiting requests are answered
    later requests ─┘     └─ fails, or the file has changed since the start: all of them get an error that says so
"""

import asyncio
from collections.abc import Iterable, Set
from contextlib import suppress

from service.errors import UnavailableError
from service.inference import LoadedModel
from service.models.catalog import Engine, ModelCatalog, ServedModel
from service.models.load_failures import LoadFailures
from service.models.opener import ModelOpener
from service.models.publisher import ModelPublisher


class EngineOpener:
    """Opens versions in the background, each once for any number of requests.

    Args:
        opener: opens their files.
        publisher: makes their engines.
        catalog: the served models.
        failures: records why a version could not be opened.
    """

    def __init__(
        self, opener: ModelOpener, publisher: ModelPublisher, catalog: ModelCatalog, failures: LoadFailures
    ) -> None:
        self._opener = opener
        self._publisher = publisher
        self._catalog = catalog
        self._failures = failures
        self._tasks: dict[ServedModel, asyncio.Task[Engine]] = {}

    async def open(self, model: ServedModel) -> Engine:
        """Opens a version. If the caller is cancelled, the opening goes on for the other requests.

        Raises:
            UnavailableError: it cannot be opened now, or its file has changed since the start.
        """
        if model.engine is not None:
            return model.engine
        if model not in self._tasks:
            self._tasks[model] = task = asyncio.create_task(self._open(model))
            task.add_done_callback(lambda _task: self._tasks.pop(model, None))
        return await asyncio.shield(self._tasks[model])

    async def open_each(self, models: Iterable[ServedModel]) -> None:
        """Opens versions; failures are logged."""
        await asyncio.gather(*map(self.open, models), return_exceptions=True)

    async def open_defaults(self, deadline: float, loading: Set[str]) -> None:
        """Opens the default versions, for models whose newest file was refused at the start; failures are logged.

        Args:
            deadline: on the event loop's clock, in seconds; from then on, versions are opened in the background.
            loading: the models that are left out, since a file of theirs is still being loaded.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout_at(deadline):
                await self.open_each(
                    model
                    for model in self._catalog
                    if (name := model.metadata.name) not in loading
                    and self._catalog.default_version(name) == model.metadata.version
                )

    def close(self) -> None:
        """Opens no more."""
        for task in list(self._tasks.values()):
            task.cancel()

    async def _open(self, model: ServedModel) -> Engine:
        key = name, version = model.metadata.name, model.metadata.version
        try:
            engine = self._take_over(model, await self._opener.open(name, version))
        except Exception as error:  # noqa: BLE001  it is logged and recorded, and the requests get 503
            failure = self._failures.add(key, error)
            raise UnavailableError(f"version {version} of model {name} cannot be loaded now: {failure}") from None
        self._failures.passed(key)
        if engine is None:
            raise UnavailableError(f"version {version} of model {name} has changed meanwhile; send the request again")
        return engine

    def _take_over(self, model: ServedModel, loaded: LoadedModel) -> Engine | None:
        """Makes the engine of a version; None where the version, or its file, is another one by now."""
        is_served = any(other is model for other in self._catalog)
        if is_served and loaded.source.sha256 == model.sha256:
            return self._publisher.start(model, loaded)
        if is_served:
            self._publisher.publish(loaded)
        else:
            loaded.session.close()
        return None
