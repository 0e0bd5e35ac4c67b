"""How much memory the process has taken since it began to serve, and the return of what it has freed."""

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
    """The process's resident memory, measured from the making of this object on. Belongs to the event loop.

    Args:
        spare_bytes: growth that :meth:`give_back` leaves as it is.
    """

    def __init__(self, spare_bytes: int) -> None:
        self._spare_bytes = spare_bytes
        self._at_start = _resident_bytes()
        self._seen = self._at_start
        self._seen_at = 0.0
        self._trim_timer: asyncio.TimerHandle | None = None
        self._trim: asyncio.Future[None] | None = None

    def grown_bytes(self) -> int:
        """How much more there is than at the start, as of at most 10 ms ago; 0 where the system does not say."""
        now = time.monotonic()
        if now - self._seen_at > _LOOK_EVERY_S:
            self._seen, self._seen_at = _resident_bytes(), now
        return self._seen - self._at_start

    def give_back(self) -> None:
        """Lets the C library return what it keeps of freed memory, in a thread, and once in a second at most.

        glibc keeps freed pieces for later. Those of large messages are of many sizes and do not fill the same gaps.
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
