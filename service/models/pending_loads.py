"""The loads that the start of the service begins. Slow ones go on after the start, until they end or are dropped."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from service.inference import ModelKey

logger = logging.getLogger(__name__)


class PendingLoads:
    """The loads of the start that have not ended. Belongs to the event loop."""

    def __init__(self) -> None:
        self._tasks: dict[ModelKey, asyncio.Task[object]] = {}

    def __contains__(self, key: ModelKey) -> bool:
        """Whether a model is still being loaded."""
        return key in self._running()

    def names(self) -> set[str]:
        """The names of the models that are still being loaded."""
        return {name for name, _ in self._running()}

    def begin(self, key: ModelKey, load: Coroutine[Any, Any, object]) -> None:
        """Begins a load, which raises no error."""
        self._tasks[key] = task = asyncio.create_task(load)
        task.add_done_callback(lambda _task: self._tasks.pop(key, None))

    async def wait(self, patience_s: float, is_enough: Callable[[], bool]) -> None:
        """Waits for all loads or, if that takes longer than ``patience_s``, until ``is_enough`` is true."""
        waiting = set(self._tasks.values())
        if waiting:
            _, waiting = await asyncio.wait(waiting, timeout=patience_s)
        while waiting and not is_enough():
            _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for key, task in self._tasks.items():
            if task in waiting:
                logger.warning("%s version %s is still being loaded; the others serve", *key)

    def drop(self, name: str, version: str | None = None) -> list[str]:
        """Ends loads, because a later change of the same model would be undone by them.

        Args:
            name: of the model.
            version: of the model; None is every version.

        Returns:
            The versions whose loads were ended. A load that has ended by itself is none of them: it may be served.
        """
        dropped = [key for key in self._running() if key[0] == name and version in (None, key[1])]
        for key in dropped:
            self._tasks.pop(key).cancel()
        return [there for _, there in dropped]

    def close(self) -> None:
        """Ends all loads."""
        for task in self._tasks.values():
            task.cancel()

    def _running(self) -> list[ModelKey]:
        """The loads that have not ended; a task is removed only some time after its end."""
        return [key for key, task in self._tasks.items() if not task.done()]
