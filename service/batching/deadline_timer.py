"""One timer for the deadlines of all entries."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

_LEAST_INTERVAL_S: Final = 5e-3
"""Each check looks at every entry, so many short time limits must not cause many checks."""


class DeadlineTimer:
    """Calls a function when the earliest deadline has passed. Times are on the clock of ``time.perf_counter``.

    Args:
        check: given the present time, answers expired entries; returns the earliest remaining deadline, or None.
        loop: the event loop in which ``check`` is called.
    """

    def __init__(self, check: Callable[[float], float | None], loop: asyncio.AbstractEventLoop) -> None:
        self._check = check
        self._loop = loop
        self._handle: asyncio.Handle | None = None
        # Kept here, because for a delay near 0 uvloop returns a handle without a time.
        self._due_at = 0.0
        self._checked_at = 0.0

    def watch(self, deadline: float) -> None:
        """Makes sure that a check follows soon after a deadline."""
        if self._handle is not None and self._due_at <= deadline:
            return
        due_at = max(deadline, self._checked_at + _LEAST_INTERVAL_S)
        if self._handle is not None:
            if self._due_at <= due_at:
                return
            self._handle.cancel()
        self._due_at = due_at
        self._handle = self._loop.call_later(max(0.0, due_at - time.perf_counter()), self._ring)

    def cancel(self) -> None:
        """Stops checking."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _ring(self) -> None:
        self._handle = None
        self._checked_at = time.perf_counter()
        next_deadline = self._check(self._checked_at)
        if next_deadline is not None:
            self.watch(next_deadline)
