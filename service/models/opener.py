"""Reads, tries and opens model files in threads; the number at once and the time of each are limited.

::

    file ─ examine, four at once ─┬─> open, one at a time ─> LoadedModel
                                  └─> describe ────────────> KnownModel: only its metadata is kept in memory
"""

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

from service.errors import ModelLoadFailedError
from service.inference import KnownModel, LoadedModel, ModelFile, ModelRepository
from service.models.daemon_thread import run_in_daemon_thread
from service.models.freed_memory import ModelMemory

T = TypeVar("T")

_EXAMINED_AT_ONCE: Final = 4  # files in memory at once; so many slow files delay all others until their time limit
_EXAMINE_GRACE_S: Final = 10.0


class ModelOpener:
    """Opens the files of a repository.

    Args:
        repository: of the files.
    """

    def __init__(self, repository: ModelRepository) -> None:
        self._repository = repository
        self._examining = asyncio.Semaphore(_EXAMINED_AT_ONCE)
        # One at a time, since a model's speed is measured while it is opened.
        self._opening = asyncio.Lock()
        self._memory = ModelMemory()

    async def open(self, name: str, version: str) -> LoadedModel:
        """Examines and opens a file.

        Raises:
            ConvoyError: it cannot be served, or opening it takes longer than the time limit.
        """
        try:
            async with self._examining:
                return await self._open(await self._examine(name, version))
        except TimeoutError:
            raise self._took_too_long(name, version) from None

    async def describe(self, name: str, version: str) -> LoadedModel | KnownModel:
        """Examines a file, and opens it only if it could not be tried in a child process.

        Raises:
            ConvoyError: as for :meth:`open`.
        """
        try:
            async with self._examining:
                file = await self._examine(name, version)
                if not file.has_passed:
                    return await self._open(file)
                return await self._in_thread(lambda: self._repository.describe(file), name, self._timeout_s)
        except TimeoutError:
            raise self._took_too_long(name, version) from None

    @property
    def _timeout_s(self) -> float:
        return self._repository.limits.timeout_s

    async def _examine(self, name: str, version: str) -> ModelFile:
        # Another process may be trying the same file; its trial comes first, and then the own one.
        patience_s = 2 * self._timeout_s + _EXAMINE_GRACE_S
        return await self._in_thread(lambda: self._repository.examine(name, version), name, patience_s)

    async def _open(self, file: ModelFile) -> LoadedModel:
        async with self._opening:
            return await self._in_thread(lambda: self._repository.open(file), file.name, self._timeout_s)

    def _took_too_long(self, name: str, version: str) -> ModelLoadFailedError:
        return ModelLoadFailedError(
            f"{name}/{version}: loading it did not end within {self._timeout_s:g} s; a model that needs longer needs a "
            "larger model_load_timeout_s"
        )

    async def _in_thread(self, work: Callable[[], T], name: str, timeout_s: float) -> T:
        with self._memory:
            return await run_in_daemon_thread(work, name=f"load-{name}", timeout_s=timeout_s)
