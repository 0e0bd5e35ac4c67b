"""The Vertex AI dialect: requests of Vertex AI to a container, and of clients of AutoML image classification."""

import base64
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.process import ServerProcess

Predicted = Callable[..., dict[str, float]]
PREDICT = "/vertex/predict"


def test_instances_get_rows_of_probabilities(client: httpx.Client, cat: bytes, predicted: Predicted) -> None:
    text = base64.b64encode(cat).decode()
    document = {"instances": [{"b64": text}, {"image_bytes": {"b64": text}}]}
    predictions = client.post(PREDICT, json=document).json()["predictions"]
    assert [sorted(row, reverse=True) for row in predictions] == [list(predicted(cat).values())] * 2


@pytest.mark.parametrize(
    ("parameters", "labels"),
    [
        ({}, 10),
        ({"maxPredictions": 3}, 3),
        ({"maxPredictions": 1e12, "confidenceThreshold": None}, 10),
        ({"max_predictions": 2.0}, 2),  # a float, since Vertex AI's client sends a protobuf Value
        ({"confidenceThreshold": 0.5}, 1),
        ({"confidence_threshold": 0.01, "maxPredictions": 5}, 2),
    ],
)
def test_contents_get_names_and_confidences(
    client: httpx.Client, cat: bytes, predicted: Predicted, parameters: dict[str, float], labels: int
) -> None:
    instance = {"content": base64.b64encode(cat).decode(), "mimeType": "image/png"}
    answer = client.post(PREDICT, json={"instances": [instance], "parameters": parameters}).json()
    wanted = list(predicted(cat).items())[:labels]
    (prediction,) = answer["predictions"]
    assert list(zip(prediction["displayNames"], prediction["confidences"], strict=True)) == wanted
    assert prediction["ids"][0] == "3"


def test_raw_predictions_are_answered_as_predict_answers_them(client: httpx.Client, cat: bytes) -> None:
    headers = {"Content-Type": "image/png"}
    wanted = client.post("/predict", content=cat, headers=headers).json()
    assert client.post(PREDICT, content=cat, headers=headers).json() == wanted


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({}, "`instances` must be a list"),
        ({"instances": []}, "the list is empty"),
        ({"instances": [{"content": "AAAA"}, {"b64": "AAAA"}]}, "each of `instances` must have `content`"),
        ({"instances": [{"content": "AAAA", "key": 1}]}, "unknown member of an instance 'key'"),
        ({"instances": [{"content": 5}]}, "each of `instances` must be a picture"),
        ({"instances": [{"content": "AAAA"}], "parameters": {"top_k": 1}}, "unknown parameter 'top_k'"),
        ({"instances": [{"content": "AAAA"}], "parameters": {"maxPredictions": 0}}, "maxPredictions must be"),
        ({"instances": [{"content": "AAAA"}], "parameters": {"maxPredictions": True}}, "maxPredictions must be"),
        ({"instances": [{"content": "AAAA", "mimeType": 5}]}, "`mimeType` is text"),
        ({"instances": [{"content": {"b64": "AAAA"}}]}, "each of `instances` must be a picture in base64 as `content`"),
        ({"instances": [{"content": [[[0]]]}]}, "each of `instances` must be a picture in base64 as `content`"),
        (
            {"instances": [{"content": "AAAA"}], "parameters": {"maxPredictions": 1, "max_predictions": 2}},
            "maxPredictions and max_predictions are the same parameter",
        ),
        ({"instances": [{"content": "AAAA"}], "parameters": {"confidenceThreshold": 2}}, "confidenceThreshold must be"),
        ({"instances": ["AAAA"], "parameters": {"maxPredictions": 1}}, "`parameters` work with instances as"),
        ({"instances": ["AAAA"], "model": "mnist"}, "unknown member 'model'"),
        ({"instances": [{"content": "gs://bucket/cat.png"}]}, "addresses are not fetched"),
    ],
)
def test_other_json_is_refused_with_what_would_be_right(client: httpx.Client, document: Any, said: str) -> None:
    answer = client.post(PREDICT, json=document)
    assert 400 <= answer.status_code < 500
    assert said in answer.json()["error"]


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    log = tmp_path_factory.mktemp("taken") / "log"
    env = {"AIP_PREDICT_ROUTE": "/predict", "AIP_HEALTH_ROUTE": "/health/", "AIP_STORAGE_URI": ""}
    with ServerProcess(log, env=env) as process, httpx.Client(base_url=process.url) as http:
        yield http


def test_its_routes_win_over_the_service_s_own(taken: httpx.Client, cat: bytes) -> None:
    document = {"instances": [{"b64": base64.b64encode(cat).decode()}]}
    assert len(taken.post("/predict", json=document).json()["predictions"][0]) == 10
    assert taken.get("/health").json() == {"status": "Healthy"}
    assert "vertex_predict" in taken.get("/openapi.json").text


def test_other_routes_are_left(taken: httpx.Client, cat: bytes) -> None:
    answer = taken.post("/models/cifar10/predict", content=cat, headers={"Content-Type": "image/png"})
    assert answer.json()["predictions"][0]["label"] == "cat"
    assert "error" in taken.post("/predict", json={}).json()
