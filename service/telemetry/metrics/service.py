"""All metrics of one process of the service, and the text of ``/metrics``."""

from collections.abc import Callable, Iterator
from pathlib import Path

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.samples import Sample

from contract import ModelMetadata
from service.telemetry.metrics.families import ModelFamilies
from service.telemetry.metrics.model import ModelMetrics
from service.telemetry.metrics.requests import RequestMetrics
from service.workers.shared_values import reading, shared_folder
from service.workers.worker_metrics import WorkerMetrics


class Metrics:
    """The service's metrics. Everything but :meth:`page` belongs to the event loop.

    If this process is one of several workers, :func:`service.workers.shared_values.share_values` is called before this
    object is made, and the page shows the sum of all workers.

    Args:
        version: of the service.
        workers: number of processes whose metrics are on one page.

    Attributes:
        requests: counts requests.
        is_ready: tells whether requests should be sent here.
    """

    def __init__(self, *, version: str, workers: int = 1) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # they add a series for each counter, which only OpenMetrics readers use
        self._registry = CollectorRegistry()
        self.requests = RequestMetrics(self._registry)
        self.is_ready: Callable[[], bool] = lambda: False
        self._ready = Gauge(
            "convoy_ready",
            "1 if the service is ready for requests, 0 while it starts or stops.",
            registry=self._registry,
            multiprocess_mode="livemin",
        )
        self._families = ModelFamilies(self._registry)
        self._models: dict[tuple[str, str], ModelMetrics] = {}
        self._process = _ProcessMetrics(self._registry)
        WorkerMetrics(self._registry)
        self._workers = workers
        self._complete = Gauge(
            "convoy_metrics_complete",
            "1 if these metrics cover all workers, 0 if they cover only one because the shared folder has no room.",
            registry=self._registry,
            multiprocess_mode="livemin",
        )
        build = Gauge(
            "convoy_build_info",
            "Always 1; the label is the version of the service.",
            ("version",),
            registry=self._registry,
            multiprocess_mode="max",
        )
        build.labels(version).set(1)
        self._fallback = Gauge(
            "convoy_gpu_fallback",
            "1 if the automatic choice is the CPU although a GPU or a GPU runtime was found; the log says why.",
            registry=self._registry,
            multiprocess_mode="livemax",
        )

    def fell_back(self, has_fallen_back: bool) -> None:
        """Sets the metric that shows whether the CPU is used although a GPU was expected.

        Args:
            has_fallen_back: whether this is so.
        """
        self._fallback.set(has_fallen_back)

    def add_model(self, metadata: ModelMetadata, provider: str) -> ModelMetrics:
        """Makes the metrics of a model that will be served.

        Args:
            metadata: of the model.
            provider: the execution provider that it runs on.

        Returns:
            The metrics; the caller closes them when the model is removed, and passes them to :meth:`forget`.
        """
        model = ModelMetrics(self._families, metadata, provider)
        self._models[metadata.name, metadata.version] = model
        return model

    def forget(self, model: ModelMetrics) -> None:
        """Adds the last counts of a model that was removed, and updates its metrics no more."""
        model.fold()
        self._models = {key: other for key, other in self._models.items() if other is not model}

    def fold(self) -> None:
        """Updates every metric: before each :meth:`page`, and at intervals if there are several workers."""
        self._ready.set(self.is_ready())
        self._complete.set(self._workers == 1 or shared_folder() is not None)
        self.requests.fold()
        self._process.fold()
        for model in self._models.values():
            model.fold()

    def page(self) -> bytes:
        """All folded metrics, of all workers, in Prometheus' text format. May be called in any thread."""
        folder = shared_folder()
        if folder is None:
            return generate_latest(self._registry)
        with reading(folder):
            return generate_latest(_whole(folder))

    def samples(self) -> Iterator[Sample]:
        """All folded metrics, of all workers. May be called in any thread."""
        folder = shared_folder()
        if folder is None:
            families = list(self._registry.collect())
        else:
            with reading(folder):
                families = list(_whole(folder).collect())
        for family in families:
            yield from family.samples


def _whole(folder: Path) -> CollectorRegistry:
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(folder))  # type: ignore[no-untyped-call]
    return registry


class _ProcessMetrics:
    """CPU, memory and files of this process, under Prometheus' usual names, but summed over workers.

    Args:
        registry: for the metrics.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._source = ProcessCollector(registry=None)
        self._cpu_s = 0.0
        self._cpu_seconds = Counter(
            "process_cpu_seconds", "User and system CPU time of all workers.", registry=registry
        )
        self._gauges = {
            name: Gauge(name, f"{text} of all workers.", registry=registry, multiprocess_mode="livesum")
            for name, text in (
                ("process_resident_memory_bytes", "Resident memory"),
                ("process_open_fds", "Open file descriptors"),
                ("process_max_fds", "Maximum number of open file descriptors"),
            )
        }

    def fold(self) -> None:
        """Reads the present values."""
        values = {metric.name: metric.samples[0].value for metric in self._source.collect() if metric.samples}
        for name in values.keys() & self._gauges.keys():
            self._gauges[name].set(values[name])
        cpu_s = values.get("process_cpu_seconds", self._cpu_s)
        self._cpu_seconds.inc(cpu_s - self._cpu_s)
        self._cpu_s = cpu_s
