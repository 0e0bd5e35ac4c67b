"""The metrics of served models, before they get a model's name as a label."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge

from service.telemetry.metrics.histogram import BulkHistogram

_MODEL: Final = ("model", "version")
# The first bounds suit an idle machine: a small PNG decodes in 40 us, a run of one image takes 70 us.
_DECODE_BUCKETS_S: Final = (25e-6, 50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 0.1, 0.5)
_QUEUE_BUCKETS_S: Final = (50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 0.1, 0.25, 1, 5)
_INFERENCE_BUCKETS_S: Final = (50e-6, 100e-6, 200e-6, 400e-6, 800e-6, 1.6e-3, 3.2e-3, 6.4e-3, 12.8e-3, 25.6e-3, 0.1, 1)
_BATCH_BUCKETS: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_TENTHS: Final = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


class ModelFamilies:
    """The metrics of all models, without labels.

    Args:
        registry: for the metrics.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(name, text, (*_MODEL, *labels), registry=registry)

        def total(name: str, text: str) -> Gauge:
            return Gauge(name, text, _MODEL, registry=registry, multiprocess_mode="livesum")

        def worst(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(name, text, (*_MODEL, *labels), registry=registry, multiprocess_mode="livemax")

        def histogram(name: str, text: str, buckets: tuple[float, ...]) -> BulkHistogram:
            return BulkHistogram(name, text, _MODEL, registry=registry, buckets=buckets)

        self.info = worst(
            "convoy_model_info", "1 while this version is served on this execution provider, otherwise 0.", "provider"
        )
        self.classified = counter("convoy_classified_requests", "Requests answered with predictions.")
        self.images = counter("convoy_images", "Images answered with predictions.")
        self.failed = counter(
            "convoy_failed_requests",
            "Classifications that ended in an error of the client or the service; not bodies that could not be read.",
        )
        self.rejected = counter("convoy_rejected_requests", "Requests refused because the queue was full.")
        self.cancelled = counter(
            "convoy_cancelled_requests", "Requests removed from the queue because the client had disconnected."
        )
        self.failed_runs = counter("convoy_failed_runs", "Model runs that failed.")
        self.not_finite = counter(
            "convoy_not_finite_images", "Images for which the model gave values that are not finite (NaN or infinite)."
        )
        self.decode_seconds = histogram(
            "convoy_decode_seconds", "Time to decode the pictures of a request.", _DECODE_BUCKETS_S
        )
        self.queue_seconds = histogram(
            "convoy_queue_seconds", "Time that a request waited in the queue.", _QUEUE_BUCKETS_S
        )
        self.inference_seconds = histogram("convoy_inference_seconds", "Time of one model run.", _INFERENCE_BUCKETS_S)
        self.request_inference_seconds = counter(
            "convoy_request_inference_seconds", "Time of model runs, each counted once for every request in its batch."
        )
        self.batch_size = histogram("convoy_batch_size", "Number of images in one model run.", _BATCH_BUCKETS)
        self.waiting = total("convoy_queue_images", "Images in the queue that are not in a batch yet.")
        self.outstanding = total("convoy_outstanding_images", "Images that were accepted and are not yet answered.")
        self.capacity = total(
            "convoy_queue_capacity_images", "Images that may be outstanding before requests are refused."
        )
        self.predicted = counter("convoy_predicted_images", "Images, counted by their most probable label.", "label")
        self.confidence = histogram("convoy_confidence", "Highest probability of an image.", _TENTHS)
        self.measured = worst(
            "convoy_model_measured", "1 if this quantity was measured for the model, 0 if not.", "what"
        )
        self.reference = worst(
            "convoy_reference_share", "Share of the test images for which the model predicted this label.", "label"
        )
        self.drift = worst(
            "convoy_drift_index",
            "Population stability index: how far recent predictions differ from those on the test set.",
            "of",
        )
