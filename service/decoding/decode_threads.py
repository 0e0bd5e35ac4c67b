"""The threads that decode pictures which would block the event loop for too long.

A decoder cannot be interrupted. At its exit, a process waits for the threads of ``concurrent.futures``. These are
daemon threads, for which it does not wait, because their results are no longer needed.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from service.pool_threads import no_thread

T = TypeVar("T")


class DecodeThreads:
    """Runs calls in daemon threads, first come, first served.

    Args:
        count: most threads; each is started when there is work for it.
        name: first part of the threads' names, as stack traces show them.
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
        """Drops the waiting calls and stops idle threads; does not wait for running calls."""
        try:
            while (call := self._queue.get_nowait()) is not None:
                call.withdraw()
        except Empty:
            pass
        for _ in range(self._started):
            self._queue.put(None)

    async def run(self, function: Callable[[], T], ended: Callable[[], None] | None = None) -> T:
        """Calls a function in a thread and waits for it. If cancelled before a thread is free, it is never called.

        Args:
            function: called in a thread.
            ended: called in the event loop when the call has returned or is dropped, also where nothing waits for it.

        Returns:
            What the function returns, or raises.

        Raises:
            OverloadedError: no thread can be started, and none runs.
        """
        call = _Call(function, ended, asyncio.get_running_loop())
        if self._started < self._count:
            self._start_one(call)
        self._queue.put(call)
        try:
            return await call.result
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError):
                call.withdraw()
            del call  # an error holds this frame, and the call holds the error
            raise

    def _start_one(self, call: "_Call[Any]") -> None:
        """Starts a further thread, or leaves the call to those that run."""
        try:
            threading.Thread(target=self._work, name=f"{self._name}-{self._started}", daemon=True).start()
        except RuntimeError:  # the limit of processes or of memory is reached
            if not self._started:
                call.withdraw()
                raise no_thread() from None
        else:
            self._started += 1

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
            del call  # otherwise the idle thread would keep its last picture in memory


class _Call(Generic[T]):
    """A call that a coroutine waits for. Its result and the call of ``ended`` take one wake-up of the event loop.

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
        """Returns True once: to a thread, which then makes the call, or to :meth:`withdraw`, which drops it."""
        return self._claim.acquire(blocking=False)

    def withdraw(self) -> None:
        """Drops the call, unless a thread has begun it. Used in the event loop."""
        if self.claim():
            self.result.cancel()
            self._end()

    def tell(self, result: T | None, error: BaseException | None) -> None:
        """Hands the result to the event loop. Used in the thread."""
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
