"""Loads models from the repository into the catalog, and unloads them, while requests are answered.

::

    file of a default version, or one that is loaded later ─> open ─────> publish: answers from the next request on
    file of another version ────────────────────────────────> describe ─> publish: opened at its first request
                                                                └─ fails: logged; the version before still answers

Every error while loading a model counts as a failure of that model: it is in the log and in the index, and does not
affect other models. Files are read and opened in daemon threads, with a time limit.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from service.errors import ConvoyError, ModelNotFoundError, ModelRefusedError, OverloadedError
from service.inference import ModelKey, ModelRepository, Survey
from service.models.catalog import Engine, ModelCatalog, ServedModel
from service.models.daemon_thread import run_in_daemon_thread
from service.models.engine_opener import EngineOpener
from service.models.freed_memory import return_freed_memory
from service.models.load_failures import LoadFailures
from service.models.missing_files import MissingFiles
from service.models.opener import ModelOpener
from service.models.pending_loads import PendingLoads
from service.models.publisher import BatchingPolicy, ModelPublisher, Observe
from service.telemetry.metrics import Metrics

logger = logging.getLogger(__name__)

_LOOK_TIMEOUT_S = 30.0
_REASONS_SHOWN = 3


class IndexEntry(NamedTuple):
    """One version of one model, served or not.

    Attributes:
        name, version: of the model.
        ready: whether it answers.
        reason: why it does not; empty where it does.
    """

    name: str
    version: str
    ready: bool
    reason: str


class ModelLoader:
    """Loads and unloads models. Changes of one model are made one after the other; requests do not wait for them.

    Args:
        repository: of the files.
        catalog: of the served models.
        policy: configures their batchers.
        metrics: counts their requests and runs.
        observe: wraps a model's observer of batches, given the model's name and version.
        opens_all: whether every version is opened at start; if not, default versions are, and others on first request.
        start_patience_s: how long the start waits for slow files if other models are ready.
        settle: the names among which the default model is chosen, given those that this process has found.
    """

    def __init__(
        self,
        repository: ModelRepository,
        catalog: ModelCatalog,
        policy: BatchingPolicy,
        metrics: Metrics,
        observe: Observe,
        *,
        opens_all: bool = False,
        start_patience_s: float = 30.0,
        settle: Callable[[set[str]], set[str]] = set,
    ) -> None:
        self._repository = repository
        self._catalog = catalog
        self._publisher = ModelPublisher(catalog, policy, metrics, observe)
        self._changing: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._opener = ModelOpener(repository)
        self._opens_all = opens_all
        self._failures = LoadFailures()
        self._engines = EngineOpener(self._opener, self._publisher, catalog, self._failures)
        self._unloaded: set[ModelKey] = set()
        self._missing = MissingFiles()
        self._pending = PendingLoads()
        self._start_patience_s = start_patience_s
        self._unused: set[Path] = set()
        self._settle = settle

    async def load_all(self) -> Survey:
        """Loads the versions of every model; failures are logged by name, and the other models are served.

        After ``start_patience_s`` the start does not wait for further files if at least one model is ready, including
        the default model if the settings name one; the other files are loaded later.

        Returns:
            The listing of the repository from before its files were read.

        Raises:
            ModelNotFoundError: no model can be served, or the default model of the settings cannot.
        """
        try:
            found = await self.survey()
        except ModelNotFoundError as error:
            raise ModelNotFoundError(f"no model could be served from {self._repository.root}: {error}") from None
        names = {name for name, _ in found.files}
        self._catalog.choose_default(self._settle(names))
        if fault := self._catalog.fault_of_alias(names):
            logger.warning("%s", fault)
        deadline = asyncio.get_running_loop().time() + self._start_patience_s
        first = found.files if self._opens_all else found.defaults()
        for key in found.files:
            self._pending.begin(key, partial(self._load_one, *key, opens=key in first))
        await self._pending.wait(self._start_patience_s, lambda: self._catalog.has_default() and bool(self.served()))
        if not self.served():
            reasons = "".join(f"; {reason}" for reason in self._failures.reasons()[:_REASONS_SHOWN])
            raise ModelNotFoundError(f"no model could be served from {self._repository.root}{reasons}")
        self._set_versions(found)
        self._catalog.check_default()
        await self._engines.open_defaults(deadline, loading=self._pending.names())
        return_freed_memory()
        return found

    async def load(self, name: str, version: str | None = None, *, opens_others: bool = True) -> list[str]:
        """Loads a model, or loads it again: the version before is replaced only if the file passes its checks.

        Args:
            name: of the model.
            version: of the model; None is every version.
            opens_others: whether to open also versions that are no default, not open now, and did not fail.

        Returns:
            The versions loaded.

        Raises:
            ModelNotFoundError: the repository has no such file.
            ModelRefusedError: a file fails a check; its version before, and others, still answer.
        """
        found = await self.survey()
        versions = [there for model, there in found.files if model == name and version in (None, there)]
        if not versions:
            wanted = f"{name[:64]}/{version[:16]}" if version else name[:64]
            raise ModelNotFoundError(f"the model repository has no {wanted}")
        await self.take_versions(found)
        async with self._changing[name]:
            first = found.defaults() | found.next_defaults(served := self.served()) | self._failures.keys()
            first |= {key for key, one in served.items() if one.engine}
            if opens_others or self._opens_all:
                first |= found.files.keys()
            with self._pending.dropped(name, versions):
                outcomes = [await self._load_one(name, there, opens=(name, there) in first) for there in versions]
        failures = [outcome for outcome in outcomes if outcome is not None]
        if failures:
            raise failures[0] if len(failures) == 1 else ModelRefusedError("; ".join(map(str, failures)))
        return versions

    async def unload(self, name: str, version: str | None = None) -> list[str]:
        """Unloads a model. Its admitted requests are still answered.

        Args:
            name: of the model.
            version: of the model; None is every version that is served or still being loaded since the start.

        Returns:
            The unloaded versions.

        Raises:
            ModelNotFoundError: it is not served, nor being loaded.
        """
        if name not in self._pending.names():
            name = self._catalog.versions(name)[0].metadata.name  # not an alias; no lock is made for unknown names
        async with self._changing[name]:
            with self._pending.dropped(name, None if version is None else [version]) as dropped:
                served = [there for model, there in self.served() if model == name]
                versions = [version] if version is not None else sorted([*served, *dropped], key=int)
                if not versions:
                    self._catalog.versions(name)  # raises the error; the change before this one has unloaded it
                await self._open_successor(name, versions)
            for gone in versions:
                if gone not in dropped:
                    self._publisher.withdraw(name, gone)
                self._unloaded.add((name, gone))
                logger.info("unloaded %s version %s", name, gone)
            return versions

    async def open_engine(self, model: ServedModel) -> Engine:
        """Opens a served version without an engine; see :meth:`service.models.engine_opener.EngineOpener.open`."""
        return await self._engines.open(model)

    async def survey(self) -> Survey:
        """Lists the repository, and forgets files that are gone for some time and are not served.

        Raises:
            ModelNotFoundError: it cannot be read.
            OverloadedError: no thread can be started for it.
        """
        known = self._failures.keys() | self._unloaded  # before the listing: a file may be added while it is made
        try:
            found = await run_in_daemon_thread(self._repository.survey, name="survey", timeout_s=_LOOK_TIMEOUT_S)
        except TimeoutError:
            reason = "it does not answer"
        except OSError as error:
            reason = error.strerror or "it cannot be read"
        else:
            self._name_unused(found.unused(self._repository.root))
            if found.files:  # a mount point without its volume is an empty folder
                missing, now = known - found.files.keys() - self.served().keys(), asyncio.get_running_loop().time()
                self._failures.forget(removed := self._missing.gone(missing, now))
                self._unloaded -= removed
            return found
        raise ModelNotFoundError(f"the model repository {self._repository.root} cannot be read: {reason}")

    def _name_unused(self, unused: dict[Path, str]) -> None:
        """Logs once, for each file in the repository that is not served, what to do with it."""
        for file, said in unused.items():
            if file not in self._unused:
                logger.warning("not served: %s", said)
        self._unused = set(unused)

    async def index(self) -> list[IndexEntry]:
        """Every version that is served or in the repository, sorted."""
        try:
            found = set((await self.survey()).files)
        except (ModelNotFoundError, OverloadedError):  # what is known of the files is still listed
            found = self._failures.keys() | self._unloaded
        served = self.served()  # after the survey, which may take long
        ready = {key for key, model in served.items() if self.is_ready(model)}
        return [
            IndexEntry(name, version, (name, version) in ready, self._reason(name, version, ready))
            for name, version in sorted(served.keys() | found, key=lambda entry: (entry[0], int(entry[1])))
        ]

    async def take_versions(self, found: Survey) -> None:
        """Applies default versions and version labels; a version is opened before it becomes the default."""
        defaults = found.defaults()
        await self._engines.open_each(
            model
            for model in self._catalog
            if (key := (model.metadata.name, model.metadata.version)) in defaults
            and self._catalog.default_version(key[0]) != key[1]
        )
        self._set_versions(found)

    async def _open_successor(self, name: str, withdrawn: list[str]) -> None:
        """Before versions are unloaded, opens the one that becomes the default."""
        left = [model for (there, other), model in self.served().items() if there == name and other not in withdrawn]
        is_newest = not self._catalog.has_pinned_version(name) and self._catalog.default_version(name) in withdrawn
        if left and is_newest:
            await self._engines.open_each(left[-1:])

    def _set_versions(self, found: Survey) -> None:
        for fault in self._catalog.set_versions(found.default_versions, found.version_labels):
            logger.error("%s", fault)

    def served(self) -> dict[ModelKey, ServedModel]:
        """The served versions."""
        return {(model.metadata.name, model.metadata.version): model for model in self._catalog}

    def is_ready(self, model: ServedModel) -> bool:
        """Whether a served version answers: it is open, or no attempt to open it has failed."""
        return model.engine is not None or (model.metadata.name, model.metadata.version) not in self._failures

    def may_pass(self, key: ModelKey) -> bool:
        """Whether the last attempt to load a model failed for a temporary reason."""
        return self._failures.may_pass(key)

    async def close(self) -> None:
        """Admits no more requests, and waits until every model has answered its admitted requests."""
        self._pending.close()
        self._engines.close()
        await self._publisher.close()

    def _reason(self, name: str, version: str, ready: Iterable[ModelKey]) -> str:
        if (name, version) in ready:
            return ""
        if (name, version) in self._unloaded:
            return "unloaded"
        if (name, version) in self._pending:
            return "being loaded"
        return self._failures.reason((name, version)) or "not loaded"

    async def _load_one(self, name: str, version: str, *, opens: bool = True) -> ConvoyError | None:
        """Loads one version; returns the error, or None."""
        failure: ConvoyError | None = None
        try:
            self._publisher.publish(await (self._opener.open if opens else self._opener.describe)(name, version))
        except Exception as error:  # noqa: BLE001  an error of one model must not affect the others
            failure = self._failures.add((name, version), error)
        else:
            self._failures.passed((name, version))
        self._unloaded.discard((name, version))
        return failure
