"""The loads that the start of the service begins. Slow ones go on after the start, until they end or are dropped."""

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from service.inference import ModelKey

Load = Callable[[], Coroutine[Any, Any, object]]

logger = logging.getLogger(__name__)


class PendingLoads:
    """The loads of the start that have not ended. Belongs to the event loop."""

    def __init__(self) -> None:
        self._tasks: dict[ModelKey, asyncio.Task[object]] = {}
        self._loads: dict[ModelKey, Load] = {}

    def __contains__(self, key: ModelKey) -> bool:
        """Whether a model is still being loaded."""
        return key in self._running()

    def names(self) -> set[str]:
        """The names of the models that are still being loaded."""
        return {name for name, _ in self._running()}

    def begin(self, key: ModelKey, load: Load) -> None:
        """Begins a load, which raises no error."""
        self._loads[key] = load
        self._tasks[key] = task = asyncio.create_task(load())
        task.add_done_callback(partial(self._end, key))

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

    @contextmanager
    def dropped(self, name: str, versions: Collection[str] | None = None) -> Iterator[list[str]]:
        """Ends loads, because a later change of the same model, which is made in this context, would be undone by them.

        If that change is cancelled, as by the deadline of a gRPC call, they begin again.

        Args:
            name: of the model.
            versions: of the model; None is every version.

        Yields:
            The versions whose loads were ended. A load that has ended by itself is none of them: it may be served.
        """
        keys = [key for key in self._running() if key[0] == name and (versions is None or key[1] in versions)]
        loads = {key: self._loads.pop(key) for key in keys}
        for key in loads:
            self._tasks.pop(key).cancel()
        try:
            yield [version for _, version in loads]
        except asyncio.CancelledError:
            for key, load in loads.items():
                self.begin(key, load)
            raise

    def close(self) -> None:
        """Ends all loads."""
        for task in self._tasks.values():
            task.cancel()

    def _running(self) -> list[ModelKey]:
        """The loads that have not ended; a task is removed only some time after its end."""
        return [key for key, task in self._tasks.items() if not task.done()]

    def _end(self, key: ModelKey, task: asyncio.Task[object]) -> None:
        if self._tasks.get(key) is task:  # a load that was dropped may have begun again
            del self._tasks[key], self._loads[key]
