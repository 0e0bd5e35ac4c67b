"""The Prometheus metrics, collected with little overhead.

A request takes about 150 microseconds, and one ``Histogram.observe`` takes 2 microseconds. So requests and runs only
append plain numbers to lists, and many of these are added to the metrics at once (folded)::

    a request, a run ──> a list ──(4,096 images, or a scrape)──> fold: one vectorised count ──> prometheus-client

The values of labels are the served models and fixed lists, so no client can create a time series. Several workers share
their counts through prometheus-client's files. Each worker then also folds once a second, because a scrape reaches only
one of them.
"""

from service.telemetry.metrics.folding import folding
from service.telemetry.metrics.model import PROBE, ModelMetrics
from service.telemetry.metrics.requests import RequestMetrics, failure_reason
from service.telemetry.metrics.service import Metrics

__all__ = ["PROBE", "Metrics", "ModelMetrics", "RequestMetrics", "failure_reason", "folding"]
