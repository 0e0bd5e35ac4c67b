"""A model whose answer to some images is not a number: their requests get 500 and are counted, others are answered."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from bench.request_bytes import npy_bytes
from tests.fixtures.models import publish
from tests.fixtures.odd_models import BLACK, TRIGGER, not_finite_model
from tests.process import ServerProcess

pytestmark = pytest.mark.slow

GOOD, BAD = BLACK[0], TRIGGER[0]


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder: Path = tmp_path_factory.mktemp("not_finite")
    publish(folder / "models", "mnist", "1", not_finite_model())
    with (
        ServerProcess(folder / "log", "--models-dir", str(folder / "models")) as process,
        httpx.Client(base_url=process.url, timeout=30) as client,
    ):
        yield client


def v2(*images: np.ndarray) -> dict[str, object]:
    pixels = np.stack(images)
    tensor = {"name": "image", "shape": pixels.shape, "datatype": "UINT8", "data": pixels.ravel().tolist()}
    return {"inputs": [tensor]}


def test_a_request_with_such_an_image_gets_500_that_says_so_and_a_good_one_its_answer(http: httpx.Client) -> None:
    for images, status in (([GOOD], 200), ([GOOD, BAD, GOOD], 500), ([GOOD, GOOD], 200), ([BAD], 500)):
        answer = http.post("/v2/models/mnist/infer", json=v2(*images))
        assert answer.status_code == status
        if status == 500:
            assert "model mnist gave values that are not finite" in answer.json()["error"]
    families = text_string_to_metric_families(http.get("/metrics").text)
    counts = {sample.name: sample.value for family in families for sample in family.samples}
    assert counts["convoy_not_finite_images_total"] == 2
    assert counts["convoy_failed_runs_total"] == 0
    assert counts["convoy_confidence_count"] == 5
    (stats,) = http.get("/v2/models/mnist/stats").json()["model_stats"]
    assert (stats["inference_stats"]["success"]["count"], stats["inference_stats"]["fail"]["count"]) == (2, 2)


def test_the_same_for_predict(http: httpx.Client) -> None:
    headers = {"Content-Type": "application/x-npy"}
    answer = http.post("/predict", content=npy_bytes(BAD[np.newaxis]), headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert "not finite" in answer.json()["detail"]
    assert http.post("/predict", content=npy_bytes(GOOD[np.newaxis]), headers=headers).status_code == 200
