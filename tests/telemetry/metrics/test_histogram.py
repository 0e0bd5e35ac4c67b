import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from service.telemetry.metrics.histogram import BulkHistogram

BUCKETS = (0.5, 1, 2, 8)


def exposed(histogram: Histogram) -> list[tuple[str, float]]:
    return [
        (sample.name + str(sample.labels), sample.value)
        for metric in histogram.collect()
        for sample in metric.samples
        if not sample.name.endswith("_created")
    ]


@given(st.lists(st.integers(-4, 40).map(lambda quarters: quarters / 4)))
def test_many_at_once_count_as_each_by_itself(values: list[float]) -> None:
    bulk = BulkHistogram("seconds", "text", registry=None, buckets=BUCKETS)
    single = Histogram("seconds", "text", registry=None, buckets=BUCKETS)
    bulk.observe_many(np.array(values))
    for value in values:
        single.observe(value)
    assert exposed(bulk) == exposed(single)


def test_labels_keep_their_values_apart() -> None:
    registry = CollectorRegistry()
    histogram = BulkHistogram("seconds", "text", ("model",), registry=registry, buckets=BUCKETS)
    histogram.labels("a").observe_many(np.array([1.0, 9.0]))
    histogram.labels("b").observe_many(np.array([0.1], np.float32))
    page = generate_latest(registry).decode()
    assert 'seconds_bucket{le="1.0",model="a"} 1.0' in page
    assert 'seconds_bucket{le="+Inf",model="a"} 2.0' in page
    assert 'seconds_bucket{le="0.5",model="b"} 1.0' in page
