"""What the supervisor knows of its workers, as metrics.

It stands apart from `service/telemetry/metrics/` so that the supervisor's process need not import what that imports.
"""

import struct
from contextlib import suppress

from prometheus_client import CollectorRegistry, Counter

from service.workers.shared_values import retire, shared_folder


class WorkerMetrics:
    """Counts workers that were started again, and takes the dead ones out of what is shown.

    Args:
        registry: for the metrics.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._ended: set[int] = set()
        self._restarts = Counter(
            "convoy_worker_restarts", "Workers that ended unasked and were started again.", registry=registry
        )

    def died(self, pid: int) -> None:
        """Forgets what a worker held when it ended; what it had counted stays."""
        self._ended.add(pid)
        folder = shared_folder()
        if folder is None:
            return
        for ended in list(self._ended):
            # There is no room, a page is being made, or a file is damaged. It is tried again after the next end.
            with suppress(OSError, RuntimeError, ValueError, struct.error):
                retire(folder, ended)
                self._ended.discard(ended)

    def restarted(self) -> None:
        """Counts a worker that takes another's place."""
        self._restarts.inc()
