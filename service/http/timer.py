"""A timer that can be restarted. It refers to its callback only while it runs, so it makes no reference cycle."""

import asyncio
from collections.abc import Callable


class Timer:
    """Calls a function once, a number of seconds after its last start.

    Args:
        loop: the event loop.

    Attributes:
        is_running: whether it has been started and has not expired.
    """

    __slots__ = ("_handle", "_loop", "is_running")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._handle: asyncio.TimerHandle | None = None
        self.is_running = False

    def start(self, seconds: float, callback: Callable[[], None]) -> None:
        """Starts or restarts it."""
        self.stop()
        self._handle = self._loop.call_later(seconds, self._expire, callback)
        self.is_running = True

    def stop(self) -> None:
        """Stops it, if it runs."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
            self.is_running = False

    def _expire(self, callback: Callable[[], None]) -> None:
        self._handle = None
        self.is_running = False
        callback()
