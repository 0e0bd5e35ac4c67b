"""Measures how much memory the process has taken since it began to serve, and returns freed memory to the system."""

import asyncio
import time
from pathlib import Path
from resource import getpagesize
from typing import Final

from service.models.freed_memory import return_freed_memory

_STATM: Final = Path("/proc/self/statm")
_LOOK_EVERY_S: Final = 0.01
_TRIM_EVERY_S: Final = 1.0


class ProcessMemory:
    """Growth of the process's resident memory since this object was made. Belongs to the event loop.

    Args:
        spare_bytes: growth up to which :meth:`give_back` does nothing.
    """

    def __init__(self, spare_bytes: int) -> None:
        self._spare_bytes = spare_bytes
        self._at_start = _resident_bytes()
        self._seen = self._at_start
        self._seen_at = 0.0
        self._trim_timer: asyncio.TimerHandle | None = None
        self._trim: asyncio.Future[None] | None = None

    def grown_bytes(self) -> int:
        """The growth in bytes, measured at most 10 ms ago; 0 where the system does not report it."""
        now = time.monotonic()
        if now - self._seen_at > _LOOK_EVERY_S:
            self._seen, self._seen_at = _resident_bytes(), now
        return self._seen - self._at_start

    def give_back(self) -> None:
        """Makes the C library return freed memory to the system, in a thread and at most once a second.

        glibc keeps freed blocks for later use. Blocks of large messages differ in size and are seldom used again.
        """
        if self._trim_timer is None:
            self._trim_timer = asyncio.get_running_loop().call_later(_TRIM_EVERY_S, self._begin_trim)

    def _begin_trim(self) -> None:
        self._trim_timer = None
        if self.grown_bytes() > self._spare_bytes:
            self._trim = asyncio.get_running_loop().run_in_executor(None, return_freed_memory)


def _resident_bytes() -> int:
    try:
        return int(_STATM.read_bytes().split()[1]) * getpagesize()
    except OSError:
        return 0
