"""Handles the signals that end a process: the first one begins the drain, a second one ends the process at once.

::

    start ──signal──> exit 0, nothing was accepted yet
    serving ──signal──> drain ──(done)──────────────────────> exit 0
                          ├──second SIGINT or SIGTERM──> exit at once
                          └──limit_s is over──────────────> exit 0, even if threads are still busy

A separate thread waits for SIGINT and SIGTERM, and for SIGHUP unless it was inherited as ignored (``nohup``). Python
runs signal handlers only in the main thread and between two bytecodes, so they would be delayed while the main thread
is inside native code, for example while an engine is built for minutes.

``timeout`` signals its child and then the whole process group, so that one process gets two signals at once. Signals
within :data:`SAME_REQUEST_S` of the first count as the same request to stop.
"""

import faulthandler
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

logger = logging.getLogger(__name__)

SAME_REQUEST_S: Final = 0.1
"""Signals within this time after the first one do not count as a second request to stop."""

DRAIN_GRACE_S: Final = 1.0
"""A serving process ends in any case so long after ``drain_timeout_s``."""

_LOG_LIMIT_S: Final = 0.3
_LAST_RESORT_S: Final = 0.7
FORCED_EXIT: Final = 1


def stop_signals() -> set[signal.Signals]:
    """The signals that ask a process to end."""
    return {signal.SIGINT, signal.SIGTERM} | (
        set() if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else {signal.SIGHUP}
    )


def end(status: int) -> NoReturn:
    """Ends the process with this exit status, without waiting for threads, unlike the interpreter's normal exit."""
    logging.shutdown()  # writes the lines that are still queued
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):  # closed, or the disk is full
            stream.flush()
    os._exit(status)


class StopSignals:
    """Waits for the signals from now on. Made in the main thread; its callbacks run in another thread.

    Attributes:
        before_end: called before an exit without a complete drain, to remove temporary files.
    """

    def __init__(self) -> None:
        self._numbers = stop_signals()
        self._stop: Callable[[], None] = self.end_drained
        self._stop_now: Callable[[], None] | None = None
        self._limit_s = 0.0
        self.before_end: Callable[[], None] = lambda: None
        # Blocked in every thread that starts after this, so that the waiting thread gets them.
        signal.pthread_sigmask(signal.SIG_BLOCK, self._numbers)
        self._thread = threading.Thread(target=self._wait, name="stop-signals", daemon=True)
        self._thread.start()
        for number in self._numbers:
            signal.signal(number, self._pass_on)

    def serve(self, *, stop: Callable[[], None], limit_s: float, stop_now: Callable[[], None] | None) -> None:
        """Sets the effect of signals from now on.

        Args:
            stop: called at the first signal.
            limit_s: seconds after the first signal at which the process ends in any case.
            stop_now: called at a second SIGINT or SIGTERM; None: further signals have no effect.
        """
        self._limit_s, self._stop_now = limit_s, stop_now
        self._stop = stop

    def end_drained(self) -> NoReturn:
        """Ends the process when no request is left to answer."""
        self.before_end()
        end(0)

    def end_now(self) -> NoReturn:
        """Ends the process at once, after a second signal."""
        self._log("told again to stop: ending with requests unanswered")
        self.before_end()
        os._exit(FORCED_EXIT)

    def _pass_on(self, number: int, _frame: FrameType | None) -> None:
        """Passes a signal from a thread in which it is not blocked to the waiting thread."""
        signal.pthread_kill(self._thread.ident or 0, number)

    def _wait(self) -> None:
        signal.sigwait(self._numbers)
        stopped_at = time.monotonic()
        # faulthandler needs no GIL, which a thread in native code may hold longer than the limit. It is set first,
        # before other code gets the signal and could take the GIL.
        nowhere = Path(os.devnull).open("w")  # noqa: SIM115  open until the process ends
        faulthandler.dump_traceback_later(self._limit_s + _LAST_RESORT_S, exit=True, file=nowhere)
        self._stop()
        while (left_s := stopped_at + self._limit_s - time.monotonic()) > 0:
            again = signal.sigtimedwait(self._numbers, left_s)
            is_another = time.monotonic() - stopped_at > SAME_REQUEST_S
            if again is not None and again.si_signo != signal.SIGHUP and is_another and self._stop_now is not None:
                self._stop_now()
        self._log("the time to drain is over: ending with work unfinished")
        self.before_end()
        os._exit(0)

    def _log(self, text: str) -> None:
        """Logs a text, but gives up if it takes long, because a blocked thread may hold the log's lock."""

        def write() -> None:
            logger.warning(text)
            logging.shutdown()  # waits until the line is written

        writer = threading.Thread(target=write, daemon=True)
        writer.start()
        writer.join(_LOG_LIMIT_S)
