"""One worker slot in the parent: its process, and the time of the next restart."""

import logging
import os
import signal
import time
from contextlib import suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext, SpawnProcess
from pathlib import Path
from typing import TYPE_CHECKING, Final

from service.settings import Settings
from service.workers.stop_signals import stop_signals
from service.workers.worker_process import run_worker

if TYPE_CHECKING:
    from service.workers.worker_metrics import WorkerMetrics

logger = logging.getLogger(__name__)

_YOUNG_S: Final = 5.0
_FIRST_BACKOFF_S: Final = 0.2
_MAX_BACKOFF_S: Final = 30.0
SIGNS_PER_LIMIT: Final = 6
"""How many signs of life a worker sends within the longest silence."""


class Worker:
    """One worker slot.

    Args:
        context: starts processes.
        settings: of the service.
        slot: number of the slot.
        metrics: counts restarts.
        metrics_folder: folder of the shared metrics; None where each worker has its own.
        longest_silence_s: a process that was ready and then gives no sign of life for so long is killed.

    Attributes:
        is_ready: whether the process answers requests.
        has_refused: whether the process ended by itself, with an error that it has reported.
        restart_at: when the next process may start, on the monotonic clock; None while one runs.

    Raises:
        OSError: its first process cannot be started.
    """

    is_ready: bool
    has_refused: bool
    restart_at: float | None = None
    _process: SpawnProcess
    _news: Connection

    def __init__(
        self,
        context: SpawnContext,
        settings: Settings,
        slot: int,
        metrics: "WorkerMetrics",
        metrics_folder: Path | None,
        *,
        longest_silence_s: float,
    ) -> None:
        self._context = context
        self._settings = settings
        self._slot = slot
        self._metrics = metrics
        self._metrics_folder = metrics_folder
        self._longest_silence_s = longest_silence_s
        self._young_deaths = 0
        self._start()

    def awaited(self) -> list[int | Connection]:
        """The handles to wait for: the end of the process, and its signs of life; the first says that it is ready."""
        return [self._process.sentinel, self._news] if self.restart_at is None else []

    def update(self, waited_s: float) -> None:
        """Updates the state: the process is ready, silent for too long, or has ended, or it is time to restart it.

        Args:
            waited_s: since the last update, without the time in which this process itself was stopped.
        """
        if self.restart_at is not None:
            if time.monotonic() >= self.restart_at:
                self._start_again()
        elif not self._process.is_alive():
            self._bury()
        elif self._news.poll():
            with suppress(EOFError):  # the process is ending: its pipe is closed shortly before
                self._news.recv_bytes()
                self.is_ready, self._silent_s = True, 0.0
        elif self.is_ready:
            self._silent_s += waited_s
            if self._silent_s > self._longest_silence_s:
                self._kill_silent()

    def signal(self, number: signal.Signals) -> None:
        """Signals the process, if there is one."""
        if self.restart_at is None and self._process.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, number)

    def join(self, deadline: float) -> int:
        """Waits for the process's end, and ends it at the deadline; returns its exit status."""
        self._process.join(max(0.0, deadline - time.monotonic()))
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        return self._process.exitcode or 0

    def _kill_silent(self) -> None:
        logger.error(
            "the event loop of worker %d (pid %s) stands still for %.0f s; killing it",
            self._slot,
            self._process.pid,
            self._silent_s,
        )
        self._silent_s = 0.0
        self._process.kill()

    def _start(self) -> None:
        self.is_ready = False
        self._silent_s = 0.0
        self.has_refused = False
        self._started_at = time.monotonic()
        self._news, news_writer = self._context.Pipe(duplex=False)
        # The worker notices the end of the parent by a pipe that only the parent holds open.
        life_reader, self._life = self._context.Pipe(duplex=False)
        process = self._context.Process(
            target=run_worker,
            args=(self._settings, self._slot, news_writer, life_reader, self._metrics_folder),
            kwargs={"sign_interval_s": self._longest_silence_s / SIGNS_PER_LIMIT},
            name=f"worker-{self._slot}",
        )
        # Signals must stay blocked in the new process until it handles them itself. The first start of a process would
        # also start the resource tracker, which unblocks them, so the tracker is started before.
        resource_tracker.ensure_running()
        signal.pthread_sigmask(signal.SIG_BLOCK, stop_signals())
        process.start()
        self._process = process
        self.restart_at = None
        news_writer.close()
        life_reader.close()

    def _start_again(self) -> None:
        try:
            self._start()
        except OSError as error:  # the limit of processes or open files is reached
            backoff_s = self._back_off()
            logger.error("worker %d cannot be started: %s; trying again in %.1f s", self._slot, error, backoff_s)  # noqa: TRY400
        else:
            self._metrics.restarted()

    def _bury(self) -> None:
        lived_s = time.monotonic() - self._started_at
        if lived_s < _YOUNG_S:
            backoff_s = self._back_off()
        else:
            self._young_deaths, backoff_s, self.restart_at = 0, 0.0, time.monotonic()
        logger.error(
            "worker %d (pid %s) died with exit status %s after %.1f s; replacing it in %.1f s",
            self._slot,
            self._process.pid,
            self._process.exitcode,
            lived_s,
            backoff_s,
        )
        self._metrics.died(self._process.pid or 0)
        self._news.close()
        self._life.close()
        self.is_ready = False
        self.has_refused = (self._process.exitcode or 0) > 0

    def _back_off(self) -> float:
        """Sets the time of the next start; returns the seconds until then."""
        backoff_s: float = min(_MAX_BACKOFF_S, _FIRST_BACKOFF_S * 2**self._young_deaths)
        self._young_deaths += 1
        self.restart_at = time.monotonic() + backoff_s
        return backoff_s
