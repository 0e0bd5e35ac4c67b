"""/metrics of a real server."""

from collections.abc import Iterator

import httpx
import pytest

from tests.process import ServerProcess
from tests.telemetry.metrics.page import Page

PNG = {"content-type": "image/png"}


@pytest.fixture
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of a server that no other test uses."""
    with (
        ServerProcess(tmp_path_factory.mktemp("metrics") / "log") as process,
        httpx.Client(base_url=process.url, timeout=30) as client,
    ):
        yield client


def test_requests_leave_their_marks(fresh: httpx.Client, cat: bytes) -> None:
    for _ in range(5):
        assert fresh.post("/predict", content=cat, headers=PNG).status_code == 200
    assert fresh.post("/predict", content=b"no picture", headers=PNG).status_code == 422
    page = Page.of(fresh)
    model = {"model": "cifar10", "version": fresh.get("/models/cifar10").json()["default_version"]}
    assert page.value("convoy_requests_total", method="POST", status="200") == 5
    assert page.value("convoy_requests_total", method="POST", status="422") == 1
    assert page.value("convoy_request_seconds_count", method="POST") == 6
    assert page.value("convoy_errors_total", reason="invalid_images") == 1
    assert page.value("convoy_errors_total") == 1
    assert page.value("convoy_classified_requests_total", **model) == 5
    assert page.value("convoy_failed_requests_total", **model) == 1
    assert page.value("convoy_images_total", **model) == 5
    assert page.value("convoy_decode_seconds_count", **model) == 5
    assert page.value("convoy_queue_seconds_count", **model) == 5
    assert page.value("convoy_batch_size_sum", **model) == 5
    assert page.value("convoy_inference_seconds_sum", **model) > 0
    assert page.value("convoy_predicted_images_total", **model, label="cat") == 5
    assert page.value("convoy_queue_capacity_images", **model) == 2048
    assert page.value("convoy_model_info", model="mnist", version="1", provider="cpu") == 1
    assert page.value("convoy_ready") == 1
    assert page.value("convoy_requests_in_flight") == 1  # the scrape itself is in flight
    assert page.value("process_resident_memory_bytes") > 1e7
    assert page.value("process_cpu_seconds_total") > 0


def test_nothing_that_a_client_sends_makes_a_series(fresh: httpx.Client, cat: bytes) -> None:
    def send(word: str, method: str = "PATCH") -> None:
        fresh.request(method, f"/{word}")
        fresh.get(f"/models/{word}")
        fresh.post(f"/models/{word}/predict", content=cat, headers=PNG)
        fresh.post("/predict", content=cat, headers={**PNG, "x-request-id": word})
        fresh.post("/predict", content=cat, headers={"content-type": f"image/{word}"})
        fresh.post("/predict", content=cat, params={"model": word, "version": word})

    send("first")
    send("second", "PUT")  # counted by its name
    before = Page.of(fresh).series() | Page.of(fresh).series()
    for number, method in enumerate(["PUT", "DELETE", "PROPFIND", "REPORT", "LINK", "M-SEARCH"]):
        send(f"word{number}", method)
    assert Page.of(fresh).series() == before


def test_every_family_says_what_it_is(client: httpx.Client) -> None:
    page = client.get("/metrics")
    assert page.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    described = {
        line.split()[2] for line in page.text.splitlines() if line.startswith("# HELP") and len(line.split()) > 3
    }
    typed = {line.split()[2] for line in page.text.splitlines() if line.startswith("# TYPE")}
    assert described == typed
