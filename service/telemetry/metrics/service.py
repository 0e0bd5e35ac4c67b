"""All metrics of one process of the service, and the page that shows them."""

from collections.abc import Callable, Iterator

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
from service.workers.worker_metrics import WorkerMetrics


class Metrics:
    """The service's metrics. Everything but :meth:`page` belongs to the event loop.

    Args:
        version: of the service.
        is_shared: whether this is one of several workers, so that the page must show the sum of all. prometheus-client
            then keeps its numbers in files in the folder ``PROMETHEUS_MULTIPROC_DIR``, which must be set in the
            environment before it is first imported.

    Attributes:
        requests: counts requests.
        is_ready: tells whether requests should be sent here.
    """

    def __init__(self, *, version: str, is_shared: bool = False) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # one more series for each counter, which only OpenMetrics readers know to use
        self._is_shared = is_shared
        self._registry = CollectorRegistry()
        self.requests = RequestMetrics(self._registry)
        self.is_ready: Callable[[], bool] = lambda: False
        self._ready = Gauge(
            "convoy_ready",
            "1 where requests should be sent, 0 while starting or draining.",
            registry=self._registry,
            multiprocess_mode="livemin",
        )
        self._families = ModelFamilies(self._registry)
        self._models: dict[tuple[str, str], ModelMetrics] = {}
        self._process = _ProcessMetrics(self._registry)
        WorkerMetrics(self._registry)
        build = Gauge(
            "convoy_build_info", "1, with the version.", ("version",), registry=self._registry, multiprocess_mode="max"
        )
        build.labels(version).set(1)
        self._fallback = Gauge(
            "convoy_gpu_fallback",
            "1 where auto serves on the CPU although a GPU, or a runtime for one, is there; the log says why.",
            registry=self._registry,
            multiprocess_mode="livemax",
        )

    def fell_back(self, has_fallen_back: bool) -> None:
        """Says whether the CPU serves although a GPU was looked for.

        Args:
            has_fallen_back: whether it does.
        """
        self._fallback.set(has_fallen_back)

    def add_model(self, metadata: ModelMetadata, provider: str) -> ModelMetrics:
        """Makes the metrics of a model that is about to serve.

        Args:
            metadata: of the model.
            provider: the execution provider that it runs on.

        Returns:
            The metrics; to be closed when the model goes.
        """
        model = ModelMetrics(self._families, metadata, provider)
        self._models[metadata.name, metadata.version] = model
        return model

    def fold(self) -> None:
        """Brings every metric up to date; before each :meth:`page`, and now and then where other workers show it."""
        self._ready.set(self.is_ready())
        self.requests.fold()
        self._process.fold()
        for model in self._models.values():
            model.fold()

    def page(self) -> bytes:
        """Everything that was folded, of all workers, in Prometheus' text format. May be made in any thread."""
        return generate_latest(self._whole())

    def samples(self) -> Iterator[Sample]:
        """Everything that was folded, of all workers. May be read in any thread."""
        for family in self._whole().collect():
            yield from family.samples

    def _whole(self) -> CollectorRegistry:
        if not self._is_shared:
            return self._registry
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return registry


class _ProcessMetrics:
    """What this process takes of its machine, under Prometheus' usual names, but summed over workers.

    Args:
        registry: for the metrics.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._source = ProcessCollector(registry=None)
        self._cpu_s = 0.0
        self._cpu_seconds = Counter(
            "process_cpu_seconds", "User and system CPU time, of all workers.", registry=registry
        )
        self._gauges = {
            name: Gauge(name, f"{text}, of all workers.", registry=registry, multiprocess_mode="livesum")
            for name, text in (
                ("process_resident_memory_bytes", "Resident memory"),
                ("process_open_fds", "Open file descriptors"),
                ("process_max_fds", "Limit of open file descriptors"),
            )
        }

    def fold(self) -> None:
        """Brings the metrics up to date."""
        values = {metric.name: metric.samples[0].value for metric in self._source.collect() if metric.samples}
        for name in values.keys() & self._gauges.keys():
            self._gauges[name].set(values[name])
        cpu_s = values.get("process_cpu_seconds", self._cpu_s)
        self._cpu_seconds.inc(cpu_s - self._cpu_s)
        self._cpu_s = cpu_s
