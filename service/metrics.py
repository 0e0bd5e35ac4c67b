"""What an operator watches, as Prometheus metrics.

Labels take their values from the served models and from fixed lists only, so that no client can grow a time series.
"""

from prometheus_client import CollectorRegistry, Counter, Histogram

_STAGE_BUCKETS_S = (50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 0.1, 0.25, 1, 5)
_BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_MODEL = ("model", "version")


class Metrics:
    """The service's metrics in one registry.

    Args:
        registry: that ``/metrics`` shows.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.requests = Counter("convoy_requests", "Requests answered.", ("status",), registry=registry)
        self.request_seconds = Histogram(
            "convoy_request_seconds",
            "Time from a request's headers to the end of its answer.",
            registry=registry,
            buckets=_STAGE_BUCKETS_S,
        )
        self.images = Counter("convoy_images", "Images classified.", _MODEL, registry=registry)
        self.decode_seconds = _stage("decode", "Time to decode the pictures of a request.", registry)
        self.queue_seconds = _stage("queue", "Time that a request waited for its batch.", registry)
        self.inference_seconds = _stage("inference", "Time of one run of the session.", registry)
        self.batch_size = Histogram(
            "convoy_batch_size", "Images in one run of the session.", _MODEL, registry=registry, buckets=_BATCH_BUCKETS
        )
        self.failed_runs = Counter("convoy_failed_runs", "Runs of the session that failed.", _MODEL, registry=registry)


class ModelMetrics:
    """The metrics of one served model, its labels bound once.

    Args:
        metrics: of the service.
        name: of the model.
        version: of the model.
    """

    def __init__(self, metrics: Metrics, name: str, version: str) -> None:
        self._images = metrics.images.labels(name, version)
        self._decode_seconds = metrics.decode_seconds.labels(name, version)
        self._queue_seconds = metrics.queue_seconds.labels(name, version)
        self._inference_seconds = metrics.inference_seconds.labels(name, version)
        self._batch_size = metrics.batch_size.labels(name, version)
        self._failed_runs = metrics.failed_runs.labels(name, version)

    def classified(self, images: int, decode_s: float, queue_s: float) -> None:
        """Counts an answered request."""
        self._images.inc(images)
        self._decode_seconds.observe(decode_s)
        self._queue_seconds.observe(queue_s)

    def ran(self, batch_size: int, inference_s: float, *, failed: bool) -> None:
        """Counts a run of the session."""
        self._batch_size.observe(batch_size)
        self._inference_seconds.observe(inference_s)
        if failed:
            self._failed_runs.inc()


def _stage(stage: str, text: str, registry: CollectorRegistry) -> Histogram:
    return Histogram(f"convoy_{stage}_seconds", text, _MODEL, registry=registry, buckets=_STAGE_BUCKETS_S)
