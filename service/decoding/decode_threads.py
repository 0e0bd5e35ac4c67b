"""The threads that decode what would hold up the event loop.

A decoder cannot be interrupted. At its end the process waits for the threads of ``concurrent.futures``, and not for
these: by then nobody waits for what they make.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Any, Self, TypeVar

T = TypeVar("T")


class DecodeThreads:
    """Runs calls in daemon threads, first come, first served.

    Args:
        count: most threads; each is started when there is work for it.
        name: of the threads, for people who look at stacks.
    """

    def __init__(self, count: int, name: str = "decode") -> None:
        self._count = count
        self._name = name
        self._started = 0
        self._queue: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Begins nothing more, and waits for nothing."""
        try:
            while (item := self._queue.get_nowait()) is not None:
                item[0].cancel()
        except Empty:
            pass
        for _ in range(self._started):
            self._queue.put(None)

    def submit(self, call: Callable[[], T]) -> Future[T]:
        """Makes a call when a thread is free; a future that is cancelled first is never run."""
        future: Future[T] = Future()
        self._queue.put((future, call))
        if self._started < self._count:
            threading.Thread(target=self._work, name=f"{self._name}-{self._started}", daemon=True).start()
            self._started += 1
        return future

    async def run(self, call: Callable[[], T], ended: Callable[[], None] | None = None) -> T:
        """Waits for a call. Where the wait is cancelled before a thread has taken the call, it is never made.

        Args:
            call: made in a thread.
            ended: called in the event loop when the call has returned or will never be made, also after the wait.

        Returns:
            What the call returns, or raises.
        """
        future = self.submit(call)
        if ended is not None:
            loop = asyncio.get_running_loop()
            future.add_done_callback(lambda _: None if loop.is_closed() else loop.call_soon_threadsafe(ended))
        return await asyncio.wrap_future(future)

    def _work(self) -> None:
        while (item := self._queue.get()) is not None:
            future, call = item
            if not future.set_running_or_notify_cancel():
                continue
            try:
                result = call()
            except BaseException as error:  # noqa: BLE001  it belongs to whoever waits
                future.set_exception(error)
            else:
                future.set_result(result)
            del item, future, call  # an idle thread keeps no picture alive
