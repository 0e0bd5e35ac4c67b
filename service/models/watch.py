"""Watches the repository's folder, and loads and unloads models when their files change.

The folder is listed at intervals, which works on every file system, including network file systems and mounted volumes.

::

    each check ─┬─ a file that is new or has changed, and is as at the last check ─> load
                ├─ a file that could not be opened, for a temporary reason ────────> load again, with growing delays
                ├─ a file that is missing for two checks and some seconds ─────────> unload
                └─ a repository that cannot be read, or that has no model ─────────> no change: served models stay
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from service.errors import ConvoyError
from service.inference import FileState, ModelKey, Survey
from service.models.missing_files import MissingFiles
from service.models.model_loader import ModelLoader

logger = logging.getLogger(__name__)

_FIRST_RETRY_S: Final = 1.0
_LAST_RETRY_S: Final = 3600.0


class Changes(NamedTuple):
    """The models to load and to unload after one check."""

    load: list[ModelKey]
    unload: list[ModelKey]


class _Retry(NamedTuple):
    """When to load a file again that could not be opened.

    Attributes:
        at: on the monotonic clock, in seconds.
        delay_s: the delay before this attempt, in seconds.
    """

    at: float
    delay_s: float


class Watch:
    """Compares each listing of the repository with the one before.

    Args:
        loader: loads and unloads the models.
        first: the listing from before the models were loaded, so that changes while they were loaded are found.
    """

    def __init__(self, loader: ModelLoader, first: Survey) -> None:
        self._loader = loader
        self._attempted = dict(first.files)
        self._seen = dict(first.files)
        self._missing = MissingFiles()
        self._retries: dict[ModelKey, _Retry] = {}
        self._busy: set[ModelKey] = set()
        self._is_away = False
        self._taking: asyncio.Task[None] | None = None

    async def run(self, interval_s: float) -> None:
        """Loads new and changed models and unloads removed ones, until cancelled.

        Args:
            interval_s: seconds between two checks.
        """
        async with asyncio.TaskGroup() as changing:
            while True:
                await asyncio.sleep(interval_s)
                try:
                    await self._look(changing)
                except ConvoyError as error:
                    if not self._is_away:
                        logger.warning("%s; the served models still answer", error)
                    self._is_away = True
                except Exception:
                    logger.exception("checking the model repository failed; the served models still answer")

    def changes(self, files: dict[ModelKey, FileState], now: float) -> Changes:
        """Compares a listing with the last one.

        Args:
            files: the listed files.
            now: on the monotonic clock, in seconds.

        Returns:
            The models to load and to unload.
        """
        if not files:  # a mount point without its volume is an empty folder
            return Changes([], [])
        load = [key for key, state in files.items() if self._attempted.get(key) != state == self._seen.get(key)]
        self._retries = {
            key: retry for key, retry in self._retries.items() if key in files and self._loader.may_pass(key)
        }
        load += [key for key, retry in self._retries.items() if key not in load and now >= retry.at]
        # A load may end after its file was removed, so served models are compared too.
        missing = (self._attempted.keys() | self._loader.served()) - files.keys()
        unload = sorted(self._missing.gone(missing, now) - self._busy)
        self._seen = dict(files)
        return Changes(load, unload)

    async def _look(self, changing: asyncio.TaskGroup) -> None:
        found = await self._loader.survey()
        self._is_away = False
        if found.files and (self._taking is None or self._taking.done()):
            self._taking = changing.create_task(self._take_versions(found))
        now = asyncio.get_running_loop().time()
        for key in self._attempted.keys() - self._retries.keys() - self._busy:
            self._plan_retry(key, now)  # this attempt was made by the start or by a request
        load, unload = self.changes(found.files, now)
        for key in load:
            if key not in self._busy:
                self._attempted[key] = found.files[key]
                changing.create_task(self._change(self._load, key))
        for key in unload:
            self._attempted.pop(key, None)
            changing.create_task(self._change(self._loader.unload, key))

    async def _take_versions(self, found: Survey) -> None:
        """Applies default versions and labels. Never twice at once, since a version may have to be opened for it."""
        try:
            await self._loader.take_versions(found)
        except Exception:
            logger.exception("taking over default versions and labels failed; the served models still answer")

    async def _load(self, name: str, version: str) -> None:
        await self._loader.load(name, version, opens_others=False)

    async def _change(self, change: Callable[[str, str], Awaitable[object]], key: ModelKey) -> None:
        """Loads or unloads one version. A slow load does not delay the others."""
        self._busy.add(key)
        try:
            await change(*key)
        except ConvoyError as error:  # the loader has logged it if it is new
            logger.debug("%s version %s: %s", *key, error)
        except Exception:
            logger.exception("changing %s version %s failed", *key)
        finally:
            self._busy.discard(key)
            self._plan_retry(key, asyncio.get_running_loop().time())

    def _plan_retry(self, key: ModelKey, now: float) -> None:
        """Plans the next attempt after a temporary failure, with twice the delay of the last one."""
        if not self._loader.may_pass(key):
            self._retries.pop(key, None)
            return
        last = self._retries.get(key)
        delay_s = _FIRST_RETRY_S if last is None else min(_LAST_RETRY_S, 2 * last.delay_s)
        self._retries[key] = _Retry(now + delay_s, delay_s)
