"""OpenTelemetry traces: the time of each stage of a request, and which requests shared a run.

::

    POST /predict ── classify ─┬─ decode
                               ├─ queue
                               └─ inference            batch ── a separate trace, linked to the requests in it

W3C trace context is read from a request's headers and returned in ``traceresponse``. This module is imported only where
tracing is on. The standard ``OTEL_*`` variables, which the SDK reads, configure exporter, sampler and resource.
"""

import time
from collections.abc import Callable, Collection
from functools import partial

import numpy as np
from numpy.typing import NDArray
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.instrumentation.propagators import TraceResponsePropagator, set_global_response_propagator
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, SpanContext, SpanKind, StatusCode, Tracer

from service import __version__
from service.batching import Batch, Observer
from service.classifier import Classification, Classifier, Images, OpenEngine
from service.decoding import Decoder
from service.http.asgi import ASGIApp, Receive, Scope, Send
from service.http.body_budget import BodyBudget
from service.models.catalog import ModelCatalog, ServedModel


class Tracing:
    """The tracer of one process; wraps the app, the classifier and observers of batches."""

    def __init__(self) -> None:
        resource = Resource.create({SERVICE_VERSION: __version__})
        if str(resource.attributes[SERVICE_NAME]).startswith("unknown_service"):
            resource = resource.merge(Resource({SERVICE_NAME: "convoy"}))
        self._provider = TracerProvider(resource=resource)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("convoy", __version__)
        set_global_response_propagator(TraceResponsePropagator())  # type: ignore[no-untyped-call]

    def app(self, app: ASGIApp, own_steps: Collection[str]) -> ASGIApp:
        """Makes each HTTP request of an app a span.

        Args:
            app: answers the requests.
            own_steps: the first segments of its paths, which the names of spans have.
        """

        async def awaited(scope: Scope, receive: Receive, send: Send) -> None:
            await app(scope, receive, send)  # asgiref treats any app that is not a coroutine function as ASGI 2

        traced: ASGIApp = OpenTelemetryMiddleware(
            awaited,
            tracer_provider=self._provider,
            default_span_details=partial(_name, own_steps),
            exclude_spans=["receive", "send"],
        )
        return traced

    def classifier(
        self, catalog: ModelCatalog, decoder: Decoder, budget: BodyBudget, open_engine: OpenEngine
    ) -> Classifier:
        """Makes a classifier whose stages are spans."""
        return TracedClassifier(catalog, decoder, budget, open_engine, self._tracer)

    def observer(self, observer: Observer, model: str, version: str) -> Observer:
        """Wraps an observer, so that each run becomes a span too."""
        return TracedRuns(observer, self._tracer, {"convoy.model": model, "convoy.version": version})

    def close(self) -> None:
        """Sends the remaining spans. Blocks until they are sent or the exporter gives up."""
        self._provider.shutdown()


class TracedClassifier(Classifier):
    """Answers requests and records spans. The stages are placed one after the other by their measured durations.

    Args:
        catalog: the models that answer now.
        decoder: turns files into pixels.
        budget: limits the bytes that all requests hold.
        open_engine: opens a model that is not open yet.
        tracer: makes the spans.
    """

    def __init__(
        self,
        catalog: ModelCatalog,
        decoder: Decoder,
        budget: BodyBudget,
        open_engine: OpenEngine,
        tracer: Tracer,
    ) -> None:
        super().__init__(catalog, decoder, budget, open_engine)
        self._tracer = tracer

    async def classify(
        self,
        model: ServedModel,
        images: Images,
        *,
        deadline: float,
        is_abandoned: Callable[[], bool],
        is_alone: bool = False,
        origin: object = None,
        centers_strokes: bool = False,
    ) -> Classification:
        """Classifies the pictures of one request; see :meth:`Classifier.classify`."""
        del origin
        attributes: dict[str, str | int] = {
            "convoy.model": model.metadata.name,
            "convoy.version": model.metadata.version,
            "convoy.images": len(images),
        }
        with self._tracer.start_as_current_span("classify", attributes=attributes) as span:
            started_ns = time.time_ns()
            result = await super().classify(
                model,
                images,
                deadline=deadline,
                is_abandoned=is_abandoned,
                is_alone=is_alone,
                origin=span.get_span_context(),
                centers_strokes=centers_strokes,
            )
            span.set_attribute("convoy.batch_size", result.batch_size)
            queued_ns = started_ns + int(result.decode_s * 1e9)
            self._stage("decode", started_ns, result.decode_s)
            self._stage("queue", queued_ns, result.queue_s)
            self._stage("inference", time.time_ns() - int(result.inference_s * 1e9), result.inference_s)
            return result

    def _stage(self, name: str, started_ns: int, seconds: float) -> None:
        self._tracer.start_span(name, start_time=started_ns).end(started_ns + int(seconds * 1e9))


class TracedRuns:
    """Calls another observer, and makes each run a span that is linked to its requests.

    Args:
        observer: the other observer.
        tracer: makes the spans.
        attributes: of each span.
    """

    def __init__(self, observer: Observer, tracer: Tracer, attributes: dict[str, str]) -> None:
        self._observer = observer
        self._tracer = tracer
        self._attributes = attributes

    def ran(self, batch: Batch, inference_s: float, rows: NDArray[np.float32] | None) -> None:
        """See :meth:`Observer.ran`. A run without any traced request makes no span."""
        self._observer.ran(batch, inference_s, rows)
        origins = [part.entry.origin for part in batch.parts]
        links = [Link(origin) for origin in origins if isinstance(origin, SpanContext) and origin.trace_flags.sampled]
        if not links:
            return
        now_ns = time.time_ns()
        span = self._tracer.start_span(
            "batch",
            context=Context(),  # no parent, since it belongs to all of its requests
            kind=SpanKind.INTERNAL,
            links=links,
            attributes={**self._attributes, "convoy.batch_size": batch.size},
            start_time=now_ns - int(inference_s * 1e9),
        )
        if rows is None:
            span.set_status(StatusCode.ERROR)
        span.end(now_ns)

    def not_finite(self, images: int) -> None:
        """See :meth:`Observer.not_finite`."""
        self._observer.not_finite(images)

    def rejected(self) -> None:
        """See :meth:`Observer.rejected`."""
        self._observer.rejected()

    def cancelled(self) -> None:
        """See :meth:`Observer.cancelled`."""
        self._observer.cancelled()


def _name(own_steps: Collection[str], scope: Scope) -> tuple[str, dict[str, str]]:
    """The span's name: only method and first path segment, so that there are few different names."""
    first = str(scope.get("path", "/")).split("/")[1]
    known = first if first in own_steps else "..."
    return f"{scope.get('method', '')} /{known}", {"url.path": str(scope.get("path", ""))[:200]}
