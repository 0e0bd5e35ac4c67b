"""The process that decodes files with an unlimited decoding time; see :mod:`service.decoding.decode_children`.

::

    parent ── request ──> worker ── begun, reply ──> parent
                             │ ended by a limit of CPU time, or by its codec
                          watcher ── replies instead of the worker, and forks the next one within a millisecond
"""

import json
import os
import signal
import struct
from typing import Final, NoReturn

from imaging import Observation, PictureError, Target, decode, examine, prepare
from service.workers.child_process import data_bytes, end_before_service, limit_memory, take_replies

REQUEST: Final = struct.Struct("<IQdQ")
"""Bytes of the target as JSON, bytes of the file; CPU seconds and bytes of memory that decoding it may take."""

REPLY: Final = struct.Struct("<BI")
"""Outcome, and how many bytes follow: pixels and the observation as JSON, the reason of a refusal, or none."""

BEGUN, DECODED, REFUSED, ENDED_BY_TIME, ENDED = range(5)
"""The request was read; the file was decoded, or refused; the worker ended by its time limit, or otherwise."""

_IGNORED: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # may come while the parent still answers
_TOO_MUCH_MEMORY: Final = (
    b"it takes many times more memory to decode than a picture of its format and size; save it again"
)
_READ_BYTES: Final = 1 << 20


def main() -> NoReturn:
    """Answers requests on standard input until it ends."""
    replies = take_replies()
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    end_before_service()
    prepare()  # before the fork, so that no worker spends the time of its first picture on it
    while True:
        worker = os.fork()
        if not worker:
            _work(replies)
        _, status = os.waitpid(worker, 0)
        code = os.waitstatus_to_exitcode(status)
        if code == 0:
            os._exit(0)
        os.write(replies, REPLY.pack(ENDED_BY_TIME if code == -signal.SIGPROF else ENDED, 0))


def _work(replies: int) -> NoReturn:
    """Answers requests until there are no more."""
    base_bytes = data_bytes()
    while head := _read(REQUEST.size):
        target_bytes, file_bytes, cpu_s, memory_bytes = REQUEST.unpack(head)
        target = Target(**json.loads(_read(target_bytes)))
        data = _read(file_bytes)
        limit_memory(base_bytes, memory_bytes)
        os.write(replies, REPLY.pack(BEGUN, 0))
        signal.setitimer(signal.ITIMER_PROF, cpu_s)  # ends the process, also while native code runs
        try:
            seen: list[Observation] = []
            pixels = decode(examine(data), target, seen).tobytes()  # the parent has checked its header
            said = [seen[0]._asdict() | {"target": None}] if seen else []
            outcome, content = DECODED, pixels + json.dumps(said).encode()
        except PictureError as error:
            outcome, content = REFUSED, str(error).encode()
        except MemoryError:
            outcome, content = REFUSED, _TOO_MUCH_MEMORY
        signal.setitimer(signal.ITIMER_PROF, 0)
        _write(replies, REPLY.pack(outcome, len(content)) + content)
    os._exit(0)


def _read(count: int) -> bytes:
    """Reads ``count`` bytes of standard input; returns no bytes where it has ended."""
    parts = []
    while count:
        part = os.read(0, min(count, _READ_BYTES))
        if not part:
            return b""
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
