"""Child processes for files whose headers do not limit the decoding time: lossless WebP, compressed TIFF, AVIF, HEIC.

A thread cannot be ended, and these codecs decode a whole file in one call. A few kilobytes can hold a million tables to
build, without any sign of it in the header. So such files are decoded in a process with a limit of memory and of CPU
time, which is several times the usual time of such files. A process is started when the first such file comes.
"""

import json
import logging
import os
import select
import signal
import time
from collections import deque
from contextlib import suppress
from dataclasses import asdict
from types import TracebackType
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from imaging import Observation, Target, TooSlowError, UnreadableError
from service.decoding.decode_child import BEGUN, DECODED, ENDED, ENDED_BY_TIME, REFUSED, REPLY, REQUEST
from service.decoding.decode_threads import DecodeThreads
from service.errors import DeadlineExceededError
from service.workers.child_process import start_child

logger = logging.getLogger(__name__)

_RUN_CHILD: Final = "from service.decoding.decode_child import main; main()"
_ATTEMPTS: Final = 2
"""The kernel counts CPU time in ticks of some milliseconds; on a busy machine these include time of other processes."""
_FAILED: Final = -1  # the worker ended while it was decoding


class NoChildError(Exception):
    """No child process can be started here."""


class DecodeChildren:
    """Decodes files in child processes, one for each thread that calls it at the same time.

    Args:
        count: most processes.

    Attributes:
        threads: those that may call :meth:`decode`.
    """

    def __init__(self, count: int) -> None:
        self.threads = DecodeThreads(count, "decode-apart")
        self._idle: deque[_Child] = deque()

    def decode(
        self,
        data: bytes,
        target: Target,
        seen: list[Observation] | None = None,
        *,
        cpu_s: float,
        memory_bytes: int,
        deadline: float,
    ) -> NDArray[np.uint8]:
        """Decodes one file in a child process, and waits for the result.

        Args:
            data: the whole file.
            target: the input that the model needs.
            cpu_s: limit of CPU time, in seconds. A file that exceeds it is tried once more.
            memory_bytes: limit of memory.
            deadline: on the clock of ``time.perf_counter``, in seconds; after it, the result is not needed.
            seen: the observation about the picture is added to it.

        Returns:
            uint8 [H, W, C].

        Raises:
            UnreadableError: the file is damaged, or needs more time or memory.
            DeadlineExceededError: the deadline has passed.
            NoChildError: no process can be started, or a new one ended before it had read the file.
        """
        wanted = json.dumps(asdict(target)).encode()
        head = REQUEST.pack(len(wanted), len(data), cpu_s, memory_bytes) + wanted
        for _ in range(_ATTEMPTS):
            child = self._idle_child()
            outcome, content = (ENDED, b"") if child is None else self._ask(child, head, data, deadline)
            if outcome == ENDED:  # an idle child was ended before it had read the request: memory was short
                outcome, content = self._ask(_Child(), head, data, deadline)
            if outcome != ENDED_BY_TIME:
                break
        if outcome == DECODED:
            if seen is not None:
                said = json.loads(content[target.pixel_bytes :])
                seen += [Observation(**{**one, "target": target, "box": tuple(one["box"])}) for one in said]
            return np.frombuffer(content, np.uint8, target.pixel_bytes).reshape(target.shape)
        if outcome == ENDED_BY_TIME:
            raise TooSlowError
        if outcome == ENDED:
            raise NoChildError("it ended before it had read the picture")
        raise UnreadableError(content.decode() if outcome == REFUSED else "its pixels made the decoder fail")

    def _ask(self, child: "_Child", head: bytes, data: bytes, deadline: float) -> tuple[int, bytes]:
        """Sends a file to one process, and keeps the process for the next file unless it has ended."""
        try:
            outcome, content = child.ask(head, data, deadline)
        except BaseException:
            child.end()
            raise
        if outcome == ENDED:  # it may have read a part of the request
            child.end()
        else:
            self._idle.append(child)
        return outcome, content

    def _idle_child(self) -> "_Child | None":
        while self._idle:
            try:
                child = self._idle.pop()
            except IndexError:  # another thread took the last one
                break
            if child.is_fresh():
                return child
            child.end()
        return None

    def __enter__(self) -> Self:
        self.threads.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Ends the idle processes. A busy one ends after its reply, or together with this process."""
        self.threads.__exit__(kind, error, trace)
        while self._idle:
            self._idle.pop().end()


class _Child:
    def __init__(self) -> None:
        try:
            self._process = start_child(_RUN_CHILD)
        except OSError as error:
            raise NoChildError(str(error)) from error
        if self._process.stdin is None or self._process.stdout is None:
            raise NoChildError("it has no pipes")
        self._write_to, self._read_from = self._process.stdin.fileno(), self._process.stdout.fileno()
        self._poll = select.poll()
        self._poll.register(self._read_from, select.POLLIN | select.POLLHUP)
        logger.debug("started process %d to decode files whose headers do not limit the time", self._process.pid)

    def is_fresh(self) -> bool:
        """Whether the process runs, and has not written anything without a request."""
        return self._process.poll() is None and not self._says_something(0)

    def ask(self, head: bytes, data: bytes, deadline: float) -> tuple[int, bytes]:
        """Sends a request; returns the outcome and its content."""
        try:
            for part in (head, data):
                view = memoryview(part)
                while view:
                    view = view[os.write(self._write_to, view) :]
            outcome, length = self._reply(deadline)
            if outcome == BEGUN:
                outcome, length = self._reply(deadline)
                if outcome == ENDED:
                    outcome = _FAILED
            return outcome, self._read(length, deadline)
        except (BrokenPipeError, EOFError):
            return ENDED, b""

    def _reply(self, deadline: float) -> tuple[int, int]:
        """Reads the next reply: its outcome, and the number of bytes that follow."""
        outcome, length = REPLY.unpack(self._read(REPLY.size, deadline))
        return outcome, length

    def end(self) -> None:
        """Ends the process at once."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)  # together with the worker that it has forked
        self._process.wait()

    def _read(self, count: int, deadline: float) -> bytes:
        parts = []
        while count:
            left_s = deadline - time.perf_counter()
            if left_s <= 0 or not self._says_something(left_s):
                raise DeadlineExceededError("the time limit passed before the pictures were decoded")
            part = os.read(self._read_from, count)
            if not part:
                raise EOFError
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def _says_something(self, timeout_s: float) -> bool:
        return bool(self._poll.poll(timeout_s * 1000))
