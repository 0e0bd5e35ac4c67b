"""Child processes that decode what no header bounds: lossless WebP, compressed TIFF, AVIF, HEIC.

A thread cannot be ended, and these codecs take a whole file at once. Some kilobytes of it can be a million tables that
have to be built, and no header tells. So such files are decoded in a process with a limit of CPU time, which is some
times what files of their kind take, and one of memory. A process is started when the first such file comes.
"""

import json
import logging
import os
import select
import signal
import subprocess
import sys
import time
from collections import deque
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

import service
from imaging import Observation, Target, TooSlowError, UnreadableError
from service.decoding.decode_child import BEGUN, DECODED, ENDED, ENDED_BY_TIME, REFUSED, REPLY, REQUEST
from service.decoding.decode_threads import DecodeThreads
from service.errors import DeadlineExceededError

logger = logging.getLogger(__name__)

_RUN_CHILD: Final = "from service.decoding.decode_child import main; main()"
_ATTEMPTS: Final = 2
"""The kernel counts a process's time in ticks of some milliseconds, and on a busy machine some that others used."""
# NumPy's library of linear algebra would make a thread for each core, and a process with threads should not be forked.
_CHILD_VARIABLES: Final = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


_FAILED: Final = -1  # the codec has ended the worker


class NoChildError(Exception):
    """No child process can be started here."""


class DecodeChildren:
    """A child process for each thread that asks at the same time.

    Args:
        count: most processes.

    Attributes:
        threads: that may ask.
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
        """Decodes one file, and waits for it.

        Args:
            data: the whole file.
            target: what the model wants.
            cpu_s: CPU time that it may take, in seconds. A file that took more is tried once again.
            memory_bytes: that it may take.
            deadline: after which the answer is not needed, on the clock of ``time.perf_counter``, in seconds.
            seen: gets what was found out on the way.

        Returns:
            uint8 [H, W, C].

        Raises:
            UnreadableError: it is damaged, or takes more time or memory.
            DeadlineExceededError: the deadline has passed.
            NoChildError: no process can be started.
        """
        wanted = json.dumps(asdict(target)).encode()
        head = REQUEST.pack(len(wanted), len(data), cpu_s, memory_bytes) + wanted
        for _ in range(_ATTEMPTS):
            child = self._idle_child()
            outcome, content = (ENDED, b"") if child is None else self._ask(child, head, data, deadline)
            if outcome == ENDED:  # before it had read the request: it was idle, and the kernel was short of memory
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
        raise UnreadableError(content.decode() if outcome == REFUSED else "its pixels made the decoder fail")

    def _ask(self, child: "_Child", head: bytes, data: bytes, deadline: float) -> tuple[int, bytes]:
        """Asks one process, and keeps it for the next file unless it has ended."""
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
            except IndexError:  # another thread was faster
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
        """Ends the processes that have nothing to do. The others end with their reply, or with this process."""
        self.threads.__exit__(kind, error, trace)
        while self._idle:
            self._idle.pop().end()


class _Child:
    def __init__(self) -> None:
        folders = [str(Path(service.__file__).parent.parent), *filter(None, sys.path)]
        try:
            self._process = subprocess.Popen(  # noqa: S603  the interpreter that runs this
                [sys.executable, "-P", "-c", _RUN_CHILD],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,
                env=os.environ | _CHILD_VARIABLES | {"PYTHONPATH": os.pathsep.join(folders)},
                start_new_session=True,  # a signal to this process's group is not for the child
            )
        except OSError as error:
            raise NoChildError(str(error)) from error
        if self._process.stdin is None or self._process.stdout is None:
            raise NoChildError("it has no pipes")
        self._write_to, self._read_from = self._process.stdin.fileno(), self._process.stdout.fileno()
        self._poll = select.poll()
        self._poll.register(self._read_from, select.POLLIN | select.POLLHUP)
        logger.debug("started process %d to decode what no header bounds", self._process.pid)

    def is_fresh(self) -> bool:
        """Whether it runs, and has written nothing without having been asked."""
        return self._process.poll() is None and not self._says_something(0)

    def ask(self, head: bytes, data: bytes, deadline: float) -> tuple[int, bytes]:
        """Sends a request; returns the outcome and what came with it."""
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
        """The next thing that it says, and the bytes that follow."""
        outcome, length = REPLY.unpack(self._read(REPLY.size, deadline))
        return outcome, length

    def end(self) -> None:
        """Ends it, whatever it does."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)  # with the process that it has forked
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
