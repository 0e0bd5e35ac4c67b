import pytest

from service.telemetry.metrics import Metrics
from service.telemetry.metrics.requests import failure_reason
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


def test_calls_of_grpc_are_timed_apart_from_those_of_unlimited_duration() -> None:
    metrics = Metrics(version="1")
    metrics.requests.answered_call("OK", 0.3)
    metrics.requests.answered_call("UNAVAILABLE", None)
    metrics.fold()
    page = Page(metrics.page().decode())
    assert page.value("convoy_request_seconds_count", method="gRPC") == 1
    assert page.value("convoy_request_seconds_sum", method="gRPC") == 0.3
    assert page.value("convoy_requests_total", method="gRPC", status="UNAVAILABLE") == 1


@pytest.mark.parametrize(
    ("status", "reason"),
    [(400, "http_400"), (505, "http_505"), (501, "http_501"), (503, "http_503"), (500, "internal")],
)
def test_what_is_refused_before_the_service_reads_it_or_while_it_is_not_ready_is_no_bug(
    status: int, reason: str
) -> None:
    assert failure_reason(None, status) == reason


@pytest.mark.parametrize("reason", ["model_not_found", "too_large", "too_large_images", "model_refused", "overloaded"])
def test_each_reason_is_counted_from_zero_before_the_first_error(reason: str) -> None:
    page = Page(Metrics(version="1").page().decode())
    assert ("convoy_errors_total", (("reason", reason),)) in page.series()
