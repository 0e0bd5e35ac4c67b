"""Counts the requests of keys over all workers of a machine, in a table in a file that all of them map.

::

    key and rate ─ blake2b ─> a row of the table: hash, number of the window, count in it, count in the last window

The counts form a sliding window: the last window is weighted by the share of it that is still within the rate's time.
Source: https://limits.readthedocs.io/en/stable/strategies.html#sliding-window-counter.
"""

import fcntl
import mmap
import os
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from math import floor
from pathlib import Path
from typing import Final

from limits.aio.storage import MemoryStorage

_ROW: Final = struct.Struct("<8sqqq")
_ROWS: Final = 1 << 16
_MOST_STEPS: Final = 256
_LOCK_ATTEMPTS: Final = 50
_LOCK_WAIT_S: Final = 0.05  # longer than a process with the lock waits for CPU time on a busy core
_LOCK_PAUSE_S: Final = 0.0002
_WITHOUT_LOCK_S: Final = 1.0


class SharedRates(MemoryStorage):
    """The storage of a rate limiter, shared by processes.

    Args:
        folder: the shared folder; the table is made in it.

    Raises:
        OSError: the table cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._file = os.open(folder / "rates", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.posix_fallocate(self._file, 0, _ROWS * _ROW.size)  # a sparse file on a full disk ends the process
        self._table = mmap.mmap(self._file, _ROWS * _ROW.size)
        self._wait_again_at = 0.0

    async def acquire_sliding_window_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Counts ``amount`` requests if the limit allows them; returns whether it does."""
        with self._locked():
            now = time.time()
            place, previous, share_s, current, _ = self._read(key, expiry, now)
            if place is None or floor(previous * share_s / expiry + current) + amount > limit:
                return False
            _ROW.pack_into(self._table, place, _hash(key), int(now // expiry), current + amount, previous)
        return True

    async def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        """Count and remaining seconds of the last window, and of the present one."""
        return self._read(key, expiry, time.time())[1:]

    def _read(self, key: str, expiry: int, now: float) -> tuple[int | None, int, float, int, float]:
        """The offset of a key's row, None if the table is full, and the values of :meth:`get_sliding_window`."""
        window, left_s = int(now // expiry), expiry - now % expiry
        name = _hash(key)
        first = int.from_bytes(name, "little")
        for step in range(_MOST_STEPS):
            place = (first + step) % _ROWS * _ROW.size
            there, of_window, current, previous = _ROW.unpack_from(self._table, place)
            if there == name:
                if of_window == window - 1:
                    previous, current = current, 0
                elif of_window != window:
                    previous = current = 0
                return place, previous, left_s if previous else 0.0, current, left_s + expiry
            if not any(there):
                return place, 0, 0.0, 0, left_s + expiry
        return None, 0, 0.0, 0, left_s + expiry

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Locks the table for this process.

        It waits for a process that holds the lock and only needs CPU time. But because waiting blocks the event loop,
        it waits at most 50 ms a second, in case that process was stopped. Without the lock, counts may be too low.
        """
        is_held = self._try_lock()
        if not is_held and (begun := time.monotonic()) >= self._wait_again_at:
            while not (is_held := self._try_lock()) and time.monotonic() < begun + _LOCK_WAIT_S:
                time.sleep(_LOCK_PAUSE_S)
            if not is_held:
                self._wait_again_at = time.monotonic() + _WITHOUT_LOCK_S
        try:
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def _try_lock(self) -> bool:
        for _ in range(_LOCK_ATTEMPTS):
            with suppress(BlockingIOError):
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            os.sched_yield()
        return False


def _hash(key: str) -> bytes:
    return blake2b(key.encode(), digest_size=8).digest()
