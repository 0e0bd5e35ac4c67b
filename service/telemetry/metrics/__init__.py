"""What an operator watches, as Prometheus metrics, gathered at next to no cost.

A request has about 150 microseconds; one ``Histogram.observe`` takes two of them. So requests and runs only leave
plain numbers behind, and these are folded into the metrics many at a time::

    a request, a run ──> a list ──(4,096 images, or a scrape)──> fold: one vectorised count ──> prometheus-client

Labels take their values from the served models and from fixed lists only, so that no client can grow a time series.
Several workers share their counts through prometheus-client's files, and then each folds once a second as well,
since a scrape reaches only one of them.
"""

from service.telemetry.metrics.folding import folding
from service.telemetry.metrics.model import ModelMetrics
from service.telemetry.metrics.requests import RequestMetrics, failure_reason
from service.telemetry.metrics.service import Metrics

__all__ = ["Metrics", "ModelMetrics", "RequestMetrics", "failure_reason", "folding"]
