"""The Hugging Face dialect, with its Python client and with plain requests. Its JavaScript client: tests/frameworks."""

import base64
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from huggingface_hub import InferenceClient
from huggingface_hub.errors import HfHubHTTPError

Predicted = Callable[..., dict[str, float]]


@pytest.mark.parametrize("path", ["", "/models/cifar10", "/models/cifar10/versions/2"])
def test_its_client_classifies(client: httpx.Client, cat: bytes, predicted: Predicted, path: str) -> None:
    answer = InferenceClient(f"{client.base_url}{path}").image_classification(cat)
    assert [(found.label, found.score) for found in answer] == list(predicted(cat).items())[:5]


def test_its_client_names_a_version(client: httpx.Client, cat: bytes, predicted: Predicted) -> None:
    answer = InferenceClient(f"{client.base_url}/models/cifar10/versions/1").image_classification(cat, top_k=10)
    wanted = predicted(cat, "/models/cifar10/versions/1/predict")
    assert {found.label: found.score for found in answer} == wanted


@pytest.mark.parametrize("function", [None, "softmax"])
def test_its_client_asks_for_some_labels(client: httpx.Client, cat: bytes, function: Any) -> None:
    hub = InferenceClient(f"{client.base_url}/models/cifar10")
    answer = hub.image_classification(cat, top_k=3, function_to_apply=function)
    assert [found.label for found in answer] == ["cat", "dog", "frog"]


@pytest.mark.parametrize("function", ["sigmoid", "none"])
def test_a_function_that_the_model_does_not_have_is_refused(client: httpx.Client, cat: bytes, function: Any) -> None:
    with pytest.raises(HfHubHTTPError, match="this model applies softmax itself"):
        InferenceClient(f"{client.base_url}/models/cifar10").image_classification(cat, function_to_apply=function)


def test_its_client_is_told_what_is_wrong(client: httpx.Client, cat: bytes) -> None:
    with pytest.raises(HfHubHTTPError, match="no model 'dog' is served; served: cifar10, mnist"):
        InferenceClient(f"{client.base_url}/models/dog").image_classification(cat)
    with pytest.raises(HfHubHTTPError, match="not a picture in a known format"):
        InferenceClient(f"{client.base_url}/models/cifar10").image_classification(b"no picture")


@pytest.mark.parametrize("path", ["", "/models/cifar10", "/models/cifar10/versions/2"])
def test_its_client_finds_a_healthy_service(client: httpx.Client, path: str) -> None:
    assert InferenceClient(f"{client.base_url}{path}", provider="hf-inference").health_check()


@pytest.mark.parametrize("path", ["/models/dog", "/models/cifar10/versions/99"])
def test_a_model_that_is_not_there_is_not_healthy(client: httpx.Client, path: str) -> None:
    assert not InferenceClient(f"{client.base_url}{path}", provider="hf-inference").health_check()
    assert client.get(f"{path}/health").json().keys() == {"error"}


def test_curl_says_that_everything_is_a_form(client: httpx.Client, cat: bytes) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert client.post("/models/cifar10", content=cat, headers=headers).json()[0]["label"] == "cat"


def test_a_list_of_inputs_gets_a_list_of_answers(client: httpx.Client, cat: bytes) -> None:
    text = base64.b64encode(cat).decode()
    document = {"inputs": [text, f"data:image/png;base64,{text}"], "parameters": {"top_k": 1}}
    answer = client.post("/models/cifar10", json=document).json()
    assert [[found["label"] for found in one] for one in answer] == [["cat"], ["cat"]]


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({}, "`inputs` must be a picture in base64"),
        ([], "the JSON is not of the right form"),
        ({"inputs": []}, "`inputs` must be a picture in base64"),
        ({"inputs": [[1, 2]]}, "`inputs` must be a picture in base64"),
        ({"inputs": "https://example.org/cat.png"}, "addresses are not fetched"),
        ({"inputs": "AAAA", "parameters": {"topk": 1}}, "unknown parameter 'topk'; known: top_k, function_to_apply"),
        ({"inputs": "AAAA", "parameters": {"top_k": 0}}, "top_k is '0'"),
        ({"inputs": "AAAA", "parameters": []}, "`parameters` must be an object"),
        ({"inputs": "AAAA", "options": 1}, "`options` must be an object"),
        ({"inputs": "AAAA", "parameters": {"function_to_apply": {}}}, "not text; this model applies softmax itself"),
        ({"inputs": "AAAA", "candidate_labels": ["a"]}, "unknown member 'candidate_labels'"),
        ({"inputs": ["AAAA"] * 1025}, "1025 images in one request; at most 1024 are allowed"),
        ({"inputs": [{}] * 9000}, "more elements than the 1024 images allowed would need"),
    ],
)
def test_other_json_is_refused_with_what_would_be_right(client: httpx.Client, document: Any, said: str) -> None:
    answer = client.post("/models/cifar10", json=document)
    assert 400 <= answer.status_code < 500
    assert said in answer.json()["error"]


def test_a_long_body_is_read_in_a_thread(client: httpx.Client, samples: dict[str, list[Any]]) -> None:
    texts = [base64.b64encode(path.read_bytes()).decode() for path in samples["cifar10"]] * 10
    assert sum(map(len, texts)) > 262_144
    answer = client.post("/models/cifar10", json={"inputs": texts, "parameters": {"top_k": 10}}).json()
    assert len(answer) == 200
    assert all(len(one) == 10 for one in answer)
    assert answer[0] == answer[20] != answer[1]
