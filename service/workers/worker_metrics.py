"""What the supervisor knows of its workers, as metrics.

It stands apart from `service/telemetry/metrics/` so that the supervisor's process need not import what that imports.
"""

from prometheus_client import CollectorRegistry, Counter
from prometheus_client.multiprocess import mark_process_dead


class WorkerMetrics:
    """Counts workers that were started again, and takes the dead ones out of what is shown.

    Args:
        registry: for the metrics.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._restarts = Counter(
            "convoy_worker_restarts", "Workers that ended unasked and were started again.", registry=registry
        )

    def died(self, pid: int) -> None:
        """Forgets what a worker held when it ended; what it had counted stays.

        Args:
            pid: of the worker.
        """
        mark_process_dead(pid)  # type: ignore[no-untyped-call]

    def restarted(self) -> None:
        """Counts a worker that takes another's place."""
        self._restarts.inc()
