"""The threads that decode what would hold up the event loop.

A decoder cannot be interrupted. At its end the process waits for the threads of ``concurrent.futures``, and not for
these: by then nobody waits for what they make.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

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
        self._queue: SimpleQueue[_Call[Any] | None] = SimpleQueue()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Begins nothing more, and waits for nothing."""
        try:
            while (call := self._queue.get_nowait()) is not None:
                call.withdraw()
        except Empty:
            pass
        for _ in range(self._started):
            self._queue.put(None)

    async def run(self, function: Callable[[], T], ended: Callable[[], None] | None = None) -> T:
        """Waits for a call. Where the wait is cancelled before a thread has taken the call, it is never made.

        Args:
            function: called in a thread.
            ended: called in the event loop when the call has returned or will never be made, also after the wait.

        Returns:
            What the function returns, or raises.
        """
        call = _Call(function, ended, asyncio.get_running_loop())
        self._queue.put(call)
        if self._started < self._count:
            threading.Thread(target=self._work, name=f"{self._name}-{self._started}", daemon=True).start()
            self._started += 1
        try:
            return await call.result
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError):
                call.withdraw()
            del call  # an error holds this frame, and the call holds the error
            raise

    def _work(self) -> None:
        while (call := self._queue.get()) is not None:
            if call.claim():
                try:
                    result = call.function()
                except BaseException as error:  # noqa: BLE001  the caller of run() gets it
                    call.tell(None, error)
                else:
                    call.tell(result, None)
                    del result
            del call  # an idle thread keeps no picture alive


class _Call(Generic[T]):
    """A call that a coroutine waits for. One wake-up of the event loop brings its result and counts it out.

    Attributes:
        function: to be called.
        result: what it returns, or raises.
    """

    __slots__ = ("_claim", "_ended", "_loop", "function", "result")

    def __init__(
        self, function: Callable[[], T], ended: Callable[[], None] | None, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.function = function
        self.result: asyncio.Future[T] = loop.create_future()
        self._ended = ended
        self._loop = loop
        self._claim = threading.Lock()

    def claim(self) -> bool:
        """Whether the caller, of all that ask, is the one that decides what becomes of the call."""
        return self._claim.acquire(blocking=False)

    def withdraw(self) -> None:
        """Keeps the call from being made, unless a thread has begun it; in the event loop."""
        if self.claim():
            self.result.cancel()
            self._end()

    def tell(self, result: T | None, error: BaseException | None) -> None:
        """Wakes the event loop; in the thread."""
        with contextlib.suppress(RuntimeError):  # the event loop was closed during the call
            self._loop.call_soon_threadsafe(self._finish, result, error)

    def _finish(self, result: T | None, error: BaseException | None) -> None:
        if not self.result.done():
            if error is None:
                self.result.set_result(result)  # type: ignore[arg-type]  # there is one where there is no error
            else:
                self.result.set_exception(error)
        self._end()

    def _end(self) -> None:
        if self._ended is not None:
            self._ended()
