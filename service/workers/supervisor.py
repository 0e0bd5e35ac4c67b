"""Runs several worker processes on one port, and restarts them when they end.

::

    parent ── spawns ──> worker 0 ─┐
       │                 worker 1 ─┼─ each its own socket on the port (SO_REUSEPORT), sessions and event loop
       │                 ...      ─┘
       ├── a worker that ends unexpectedly is replaced at once; if it ended within 5 s, with exponential backoff
       ├── a worker whose event loop stands still is killed, and so replaced
       └── at a signal to stop, the workers drain; those that have not ended in time are killed

The parent holds no connection and no model, so nothing that a client sends can reach it.
"""

import logging
import math
import multiprocessing
import os
import signal
import socket
import time
from collections.abc import Callable
from multiprocessing.connection import wait
from pathlib import Path
from typing import TYPE_CHECKING, Final

from service.errors import SettingError
from service.http.listener import listen
from service.settings import Settings
from service.workers.metrics_folder import MetricsFolder
from service.workers.stop_signals import DRAIN_GRACE_S, FORCED_EXIT, StopSignals
from service.workers.worker import SIGNS_PER_LIMIT, Worker

if TYPE_CHECKING:
    from service.workers.worker_metrics import WorkerMetrics

logger = logging.getLogger(__name__)

_KILL_GRACE_S: Final = DRAIN_GRACE_S + 0.4
_LAST_GRACE_S: Final = DRAIN_GRACE_S + 0.6
_LONGEST_SILENCE_S: Final = 30.0


class Supervisor:
    """Runs the workers.

    Args:
        settings: of the service.
        ready: called once all workers answer requests.
        signals: the signals that end this process.
        longest_silence_s: a worker whose event loop stands still for so long is killed.
    """

    def __init__(
        self,
        settings: Settings,
        ready: Callable[[], None],
        signals: StopSignals,
        longest_silence_s: float = _LONGEST_SILENCE_S,
    ) -> None:
        self._longest_silence_s = longest_silence_s
        self._settings = settings
        self._ready = ready
        self._signals = signals
        self._workers: list[Worker] = []
        self._announced = False
        self._stopping = False
        self._forced = False
        self._wake_reader, self._wake_writer = os.pipe()

    def run(self, listener: socket.socket) -> int:
        """Serves until a signal ends it.

        Args:
            listener: bound to the port, to which the workers bind too.

        Returns:
            Exit status: 0 if every worker ended without an error.

        Raises:
            SettingError: the port for gRPC cannot be listened on, or a process cannot be started.
        """
        host, port = listener.getsockname()[:2]
        grpc_listener = _listen_for_grpc(self._settings)
        grpc_port = None if grpc_listener is None else grpc_listener.getsockname()[1]
        settings = self._settings.model_copy(update={"host": host, "port": port, "grpc_port": grpc_port})
        folder = _make_metrics_folder()
        if folder is not None:
            self._signals.before_end = folder.leave
        drain_s = settings.drain_delay_s + settings.drain_timeout_s
        self._signals.serve(stop=self._stop, limit_s=drain_s + _LAST_GRACE_S, stop_now=self._stop_now)
        # Imported after share_values, because only metrics that are made after it are shared.
        from prometheus_client import CollectorRegistry  # noqa: PLC0415

        from service.workers.worker_metrics import WorkerMetrics  # noqa: PLC0415

        try:
            metrics = WorkerMetrics(CollectorRegistry())
            self._start_workers(settings, metrics, None if folder is None else folder.path)
            while not self._stopping:
                self._watch()
            status = self._drain(time.monotonic() + drain_s + _KILL_GRACE_S)
        finally:
            if folder is not None:
                folder.leave()
        return FORCED_EXIT if self._forced else status

    def _start_workers(self, settings: Settings, metrics: "WorkerMetrics", metrics_folder: Path | None) -> None:
        """Starts the first process of each slot.

        Raises:
            SettingError: one cannot be started; those before it have been ended.
        """
        context = multiprocessing.get_context("spawn")
        silence_s = self._longest_silence_s
        for slot in range(settings.workers):
            try:
                worker = Worker(context, settings, slot, metrics, metrics_folder, longest_silence_s=silence_s)
            except OSError as error:  # the limit of processes or open files is reached
                for started in self._workers:
                    started.join(deadline=time.monotonic())
                raise SettingError(f"worker {slot} cannot be started: {error}") from None
            self._workers.append(worker)

    def _watch(self) -> None:
        """Waits for the next event of a worker or a signal, and handles it."""
        started_at = time.monotonic()
        longest_s = self._longest_silence_s / SIGNS_PER_LIMIT
        due = min((worker.restart_at for worker in self._workers if worker.restart_at is not None), default=math.inf)
        wait(
            [self._wake_reader, *(thing for worker in self._workers for thing in worker.awaited())],
            min(longest_s, max(0.0, due - started_at)),
        )
        if self._stopping:
            return
        waited_s = min(longest_s, time.monotonic() - started_at)  # longer, if this process was stopped
        for worker in self._workers:
            worker.update(waited_s)
        if not self._announced and all(worker.is_ready for worker in self._workers):
            self._announced = True
            self._ready()
        if not self._announced and any(worker.has_refused for worker in self._workers):
            logger.error("a worker could not start; ending")
            self._stopping = True

    def _drain(self, deadline: float) -> int:
        for worker in self._workers:
            worker.signal(signal.SIGKILL if self._forced else signal.SIGTERM)
        return max(abs(worker.join(deadline)) for worker in self._workers)

    def _stop(self) -> None:
        self._stopping = True
        os.write(self._wake_writer, b".")

    def _stop_now(self) -> None:
        logger.warning("told again to stop: ending with requests unanswered")
        self._forced = True
        for worker in self._workers:
            worker.signal(signal.SIGKILL)


def _listen_for_grpc(settings: Settings) -> socket.socket | None:
    """Binds the gRPC port in the parent, so that all workers use the same one."""
    if settings.grpc_port is None:
        return None
    try:
        return listen(settings.host, settings.grpc_port, shared=settings.share_port)
    except OSError:
        raise SettingError(f"grpc_port: cannot listen on {settings.host}:{settings.grpc_port}; is it taken?") from None


def _make_metrics_folder() -> MetricsFolder | None:
    from service.workers.shared_values import share_values  # noqa: PLC0415  a slow import that --help does not need

    try:
        folder = MetricsFolder.make()
    except OSError as error:
        logger.warning(
            "no temporary folder for the metrics of all workers: /metrics shows one worker alone (%s)", error
        )
        return None
    share_values(folder.path)
    return folder
