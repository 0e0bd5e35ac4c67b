"""Writes log lines in a thread of its own, so that a reader of standard error that stalls does not stop the service.

::

    a line ─> queue, about 1 MiB ─(writer thread)─> standard error
              └─ full: lines are dropped
"""

import os
import select
import threading
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Final, TextIO

_MOST_WAITING_BYTES: Final = 1 << 20
_FLUSH_LIMIT_S: Final = 0.3
_MOST_WRITTEN_BYTES: Final = select.PIPE_BUF  # the kernel mixes no lines of other processes into such a write


class LogWriter:
    """Writes lines in their order. Errors of writing are ignored.

    Args:
        stream: it has a file, to which lines are written directly: the stream's own lock stays free for other text.
    """

    def __init__(self, stream: TextIO) -> None:
        self._file = stream.fileno()
        self._lines: SimpleQueue[bytes | threading.Event] = SimpleQueue()
        self._added_bytes = 0  # only those who add lines change it
        self._written_bytes = 0  # only the thread changes it
        threading.Thread(target=self._write_all, name="log-writer", daemon=True).start()

    @property
    def is_full(self) -> bool:
        """Whether a further line should be dropped."""
        return self._added_bytes - self._written_bytes > _MOST_WAITING_BYTES

    def add(self, line: bytes) -> None:
        """Adds a line with its end. Not to be called by two threads at once."""
        self._added_bytes += len(line)
        self._lines.put(line)

    def flush(self) -> None:
        """Waits until all lines are written, for 0.3 seconds at most."""
        written = threading.Event()
        self._lines.put(written)
        written.wait(_FLUSH_LIMIT_S)

    def _write_all(self) -> None:
        text = b""
        while True:
            entry = self._next(may_wait=not text)
            if isinstance(entry, bytes) and len(text) + len(entry) <= _MOST_WRITTEN_BYTES:
                text += entry
                continue
            self._write(text)
            text = entry if isinstance(entry, bytes) else b""
            if isinstance(entry, threading.Event):
                entry.set()

    def _next(self, *, may_wait: bool) -> bytes | threading.Event | None:
        with suppress(Empty):
            return self._lines.get(may_wait)
        return None

    def _write(self, text: bytes) -> None:
        left = memoryview(text)
        with suppress(OSError):  # the reader has closed the pipe, or the disk is full
            while left:
                try:
                    left = left[os.write(self._file, left) :]
                except BlockingIOError:  # another process that shares the pipe has made it non-blocking
                    select.select([], [self._file], [])
        self._written_bytes += len(text)
