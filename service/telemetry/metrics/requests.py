"""Metrics of all requests and their answers."""

from collections import defaultdict
from typing import Final

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Gauge

from service.errors import ClientGoneError, ConvoyError
from service.telemetry.failure import CLIENT_GONE_STATUS, Failure, reason_of
from service.telemetry.metrics.histogram import BulkHistogram

_NO_BUG_STATUSES: Final = (501, 503, 505)  # an unknown method, a probe's "not ready", an unknown version of HTTP

_METHODS: Final = ("GET", "POST", "PUT")  # PUT: predictions of TorchServe's clients
_OTHER: Final = "other"
_GRPC: Final = "gRPC"
_FOLD_AT: Final = 4096
# From 4 buckets below a millisecond, for one small picture, to the default time limit.
_BUCKETS_S: Final = (100e-6, 250e-6, 500e-6, 1e-3, 2e-3, 5e-3, 10e-3, 20e-3, 50e-3, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class RequestMetrics:
    """Counts and times answers by method and status, and errors by reason.

    Args:
        registry: for the metrics.

    Attributes:
        in_flight: requests that have no answer yet.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.in_flight = 0
        self._requests = Counter("convoy_requests", "Requests answered.", ("method", "status"), registry=registry)
        self._of_dialects = Counter(
            "convoy_dialect_requests",
            "Requests answered in the dialect of another server.",
            ("dialect", "status"),
            registry=registry,
        )
        self._errors = Counter("convoy_errors", "Requests that ended in an error.", ("reason",), registry=registry)
        seconds = BulkHistogram(
            "convoy_request_seconds",
            "Time from the headers of a request, or of a call of gRPC, to the end of its answer.",
            ("method",),
            registry=registry,
            buckets=_BUCKETS_S,
        )
        self._in_flight = Gauge(
            "convoy_requests_in_flight", "Requests in progress.", registry=registry, multiprocess_mode="livesum"
        )
        self._seconds = {method: seconds.labels(method) for method in (*_METHODS, _GRPC, _OTHER)}
        self._answers: defaultdict[tuple[str, int], list[float]] = defaultdict(list)
        self._calls_s: list[float] = []
        for reason in {"internal", "http_503", *map(reason_of, _below(ConvoyError))}:
            self._errors.labels(reason)  # a rate over a series needs its first value, 0

    def answered(self, method: str, status: int, seconds: float) -> None:
        """Counts an answered request.

        Args:
            method: of the request.
            status: of its answer.
            seconds: from its headers to the end of its answer.
        """
        self.in_flight -= 1
        answers = self._answers[method, status]
        answers.append(seconds)
        if len(answers) >= _FOLD_AT:
            self.fold()

    def answered_call(self, status: str, seconds: float | None) -> None:
        """Counts an answered call of gRPC.

        Args:
            status: the name of its gRPC status, such as ``OK``.
            seconds: from its headers to its answer; None for a call of unlimited duration.
        """
        self._requests.labels(_GRPC, status).inc()
        if seconds is not None:
            self._calls_s.append(seconds)
            if len(self._calls_s) >= _FOLD_AT:
                self.fold()

    def answered_in(self, dialect: str, status: int) -> None:
        """Counts a request of a dialect, which :meth:`answered` counts too.

        Args:
            dialect: its name.
            status: of its answer.
        """
        self._of_dialects.labels(dialect, str(status)).inc()

    def failed(self, failure: Failure | None, status: int) -> None:
        """Counts an error, also of a call of gRPC.

        Args:
            failure: the failure that ended the request, if it is known.
            status: of the answer over HTTP.
        """
        self._errors.labels(failure_reason(failure, status)).inc()

    def fold(self) -> None:
        """Adds the buffered counts to the metrics."""
        for (method, status), seconds in self._answers.items():
            known = method if method in _METHODS else _OTHER
            self._requests.labels(known, str(status)).inc(len(seconds))
            self._seconds[known].observe_many(np.array(seconds))
        self._answers.clear()
        self._seconds[_GRPC].observe_many(np.array(self._calls_s))
        self._calls_s.clear()
        self._in_flight.set(self.in_flight)


def failure_reason(failure: Failure | None, status: int) -> str:
    """The reason why a request failed, a word from a fixed list.

    Args:
        failure: the failure that ended the request, if it is known.
        status: of the answer; 499 where the client left before it.

    Returns:
        The failure's own reason, ``http_<status>`` for requests that the web framework refused and for probes that
        were told "not ready", or ``internal``.
    """
    if failure is not None and failure.reason != "internal":
        return failure.reason
    if status == CLIENT_GONE_STATUS:
        return reason_of(ClientGoneError)
    return f"http_{status}" if status < 500 or status in _NO_BUG_STATUSES else "internal"


def _below(kind: type[ConvoyError]) -> list[type[ConvoyError]]:
    below = kind.__subclasses__()
    return [*below, *(further for child in below for further in _below(child))]
