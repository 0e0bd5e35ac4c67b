"""Several worker processes on one port, and the parent that keeps them alive.

::

    parent ── spawns ──> worker 0 ─┐
       │                 worker 1 ─┼─ each its own socket on the port (SO_REUSEPORT), sessions and event loop
       │                 ...      ─┘
       └── a worker that dies is replaced at once; one that keeps dying young, later and later

The parent holds no connection and no model, so nothing that a client sends can reach it.
"""

import logging
import multiprocessing
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnContext, SpawnProcess
from types import FrameType
from typing import TYPE_CHECKING

from service.errors import ConvoyError
from service.http.listener import listen
from service.settings import Settings
from service.telemetry.logs import configure_logs

if TYPE_CHECKING:
    from service.workers.worker_metrics import WorkerMetrics

logger = logging.getLogger(__name__)

_YOUNG_S = 5.0
_FIRST_BACKOFF_S = 0.2
_MAX_BACKOFF_S = 30.0
_KILL_GRACE_S = 2.0


class Supervisor:
    """Runs the workers.

    Args:
        settings: how the service runs.
        ready: called once all workers answer requests.
    """

    def __init__(self, settings: Settings, ready: Callable[[], None]) -> None:
        self._settings = settings
        self._ready = ready
        self._announced = False
        self._stopping = False
        self._wake_reader, self._wake_writer = os.pipe()

    def run(self, listener: socket.socket) -> int:
        """Serves until a signal ends it.

        Args:
            listener: holds the port, which the workers bind too.

        Returns:
            Exit status: 0 where every worker ended cleanly.
        """
        host, port = listener.getsockname()[:2]
        settings = self._settings.model_copy(update={"host": host, "port": port})
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop)
        with tempfile.TemporaryDirectory(prefix="convoy-metrics-") as folder:
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder  # read by prometheus-client when a worker imports it
            # Not imported before: prometheus-client looks once whether numbers are to be shared.
            from prometheus_client import CollectorRegistry  # noqa: PLC0415

            from service.workers.worker_metrics import WorkerMetrics  # noqa: PLC0415

            metrics = WorkerMetrics(CollectorRegistry())
            context = multiprocessing.get_context("spawn")
            workers = [_Worker(context, settings, slot, metrics) for slot in range(settings.workers)]
            while not self._stopping:
                self._watch(workers)
            return self._drain(workers)

    def _watch(self, workers: list["_Worker"]) -> None:
        """Waits for the next thing to happen, and does what it calls for."""
        now = time.monotonic()
        due = min((worker.restart_at for worker in workers if worker.restart_at is not None), default=None)
        wait(
            [self._wake_reader, *(thing for worker in workers for thing in worker.awaited())],
            due and max(0.0, due - now),
        )
        for worker in workers:
            worker.update()
        if not self._announced and all(worker.is_ready for worker in workers):
            self._announced = True
            self._ready()
        if not self._announced and any(worker.has_refused for worker in workers):
            logger.error("a worker could not start; ending")
            self._stopping = True

    def _drain(self, workers: list["_Worker"]) -> int:
        for worker in workers:
            worker.signal(signal.SIGTERM)
        deadline = time.monotonic() + self._settings.drain_delay_s + self._settings.drain_timeout_s + _KILL_GRACE_S
        return max(abs(worker.join(deadline)) for worker in workers)

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        """A first signal begins the drain; a second one is passed on, and ends the workers at once."""
        if self._stopping:
            for child in multiprocessing.active_children():
                os.kill(child.pid or 0, number)
        self._stopping = True
        os.write(self._wake_writer, b".")


class _Worker:
    """One slot: the process that fills it now, and when the next one may.

    Attributes:
        is_ready: whether the process answers requests.
        has_refused: whether the process ended by itself, with an error that it has reported.
        restart_at: when the next process may start, on the monotonic clock; None while one runs.
    """

    is_ready: bool
    has_refused: bool
    restart_at: float | None
    _process: SpawnProcess
    _news: Connection

    def __init__(self, context: SpawnContext, settings: Settings, slot: int, metrics: "WorkerMetrics") -> None:
        self._context = context
        self._settings = settings
        self._slot = slot
        self._metrics = metrics
        self._young_deaths = 0
        self._start()

    def awaited(self) -> list[int | Connection]:
        """What to wait for: the end of the process, and word that it is ready."""
        if self.restart_at is not None:
            return []
        return [self._process.sentinel] if self.is_ready else [self._process.sentinel, self._news]

    def update(self) -> None:
        """Takes in what has happened: ready, dead, or time to start anew."""
        if self.restart_at is not None:
            if time.monotonic() >= self.restart_at:
                self._metrics.restarted()
                self._start()
        elif not self._process.is_alive():
            self._bury()
        elif not self.is_ready and self._news.poll():
            with suppress(EOFError):  # it is dying: its pipe is closed a moment before its end is known
                self.is_ready = self._news.recv()

    def signal(self, number: signal.Signals) -> None:
        """Signals the process, if there is one."""
        if self.restart_at is None and self._process.pid is not None and self._process.is_alive():
            os.kill(self._process.pid, number)

    def join(self, deadline: float) -> int:
        """Waits for the process's end, and ends it at the deadline; returns its exit status."""
        self._process.join(max(0.0, deadline - time.monotonic()))
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        status = self._process.exitcode or 0
        return 0 if status == -signal.SIGTERM else status  # told to stop before it had begun to serve

    def _start(self) -> None:
        self.restart_at = None
        self.is_ready = False
        self.has_refused = False
        self._started_at = time.monotonic()
        self._news, news_writer = self._context.Pipe(duplex=False)
        # The worker reads the end of the parent's life from a pipe that only the parent holds open.
        life_reader, self._life = self._context.Pipe(duplex=False)
        self._process = self._context.Process(
            target=_work, args=(self._settings, self._slot, news_writer, life_reader), name=f"worker-{self._slot}"
        )
        self._process.start()
        news_writer.close()
        life_reader.close()

    def _bury(self) -> None:
        lived_s = time.monotonic() - self._started_at
        self._young_deaths = self._young_deaths + 1 if lived_s < _YOUNG_S else 0
        backoff_s = min(_MAX_BACKOFF_S, _FIRST_BACKOFF_S * 2 ** (self._young_deaths - 1)) if self._young_deaths else 0.0
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
        self.restart_at = time.monotonic() + backoff_s


def _work(settings: Settings, slot: int, news: Connection, life: Connection) -> None:
    """The life of one worker process."""
    from service.http.server import serve  # noqa: PLC0415  the parent needs none of what this imports

    configure_logs(settings.log_level, settings.log_format)

    def end_with_parent() -> None:
        try:
            life.recv()
        except EOFError:
            os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=end_with_parent, name="parent-watch", daemon=True).start()
    try:
        listener = listen(settings.host, settings.port, shared=True)
        serve(settings, listener, ready=lambda: news.send(True), worker_slot=slot)
    except ConvoyError as error:
        logger.error("cannot start: %s", error)  # noqa: TRY400  the message says all
        sys.exit(1)
