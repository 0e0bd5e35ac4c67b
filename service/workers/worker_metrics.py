"""The supervisor's metrics about its workers.

It is not in `service/telemetry/metrics/`, so that the supervisor's process does not import the modules needed there.
"""

import struct
from contextlib import suppress

from prometheus_client import CollectorRegistry, Counter

from service.workers.shared_values import retire, shared_folder


class WorkerMetrics:
    """Counts restarted workers, and removes the gauges of ended ones.

    Args:
        registry: for the metrics.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._ended: set[int] = set()
        self._restarts = Counter(
            "convoy_worker_restarts", "Workers that ended unexpectedly and were replaced.", registry=registry
        )

    def died(self, pid: int) -> None:
        """Removes the gauges of a worker that has ended; its counts stay."""
        self._ended.add(pid)
        folder = shared_folder()
        if folder is None:
            return
        for ended in list(self._ended):
            # The disk is full, the metrics are being read, or a file is damaged. It is tried again at the next end.
            with suppress(OSError, RuntimeError, ValueError, struct.error):
                retire(folder, ended)
                self._ended.discard(ended)

    def restarted(self) -> None:
        """Counts a restarted worker."""
        self._restarts.inc()
