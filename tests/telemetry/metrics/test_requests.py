import pytest

from service.telemetry.metrics import Metrics
from tests.telemetry.metrics.page import Page


@pytest.mark.parametrize(
    ("method", "label"), [("GET", "GET"), ("POST", "POST"), ("PUT", "PUT"), ("DELETE", "other"), ("put", "other")]
)
def test_methods_that_predict_are_counted_by_name_and_unusual_ones_together(method: str, label: str) -> None:
    metrics = Metrics(version="1")
    metrics.requests.in_flight += 1
    metrics.requests.answered(method, 200, 0.01)
    metrics.fold()
    page = Page(metrics.page().decode())
    assert page.value("convoy_requests_total", method=label, status="200") == 1
    assert page.value("convoy_request_seconds_count", method=label) == 1
