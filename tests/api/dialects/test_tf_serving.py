"""The dialect of TF Serving and KServe V1: KServe's client, and requests as TF Serving's documentation shows them."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from tests.api.dialects.instances import b64, pixels
from tests.process import ROOT

Predicted = Callable[..., dict[str, float]]


@pytest.fixture
def labels(client: httpx.Client) -> list[str]:
    names: list[str] = client.get("/models/cifar10").json()["versions"][-1]["labels"]
    return names


@pytest.fixture
def row(cat: bytes, predicted: Predicted, labels: list[str]) -> list[float]:
    """The probabilities of the cat, in the order of the model's labels."""
    probabilities = predicted(cat)
    return [probabilities[label] for label in labels]


@pytest.mark.slow
def test_kserves_client_predicts_asks_and_is_told_what_is_wrong(
    client: httpx.Client, samples: dict[str, list[Path]], row: list[float]
) -> None:
    picture = next(path for path in samples["cifar10"] if path.name == "cifar10_cat_0.png")
    command = [sys.executable, str(Path(__file__).with_name("kserve_v1_calls.py")), str(client.base_url), str(picture)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["predicted"] == {"predictions": [row]}
    assert said["live"] is said["ready"] is True
    assert "no model 'dog' is served" in said["no model"]
    assert "addresses are not fetched" in said["an address"]


@pytest.mark.skipif(shutil.which("curl") is None, reason="the documentation's requests are made with curl")
def test_a_request_as_its_documentation_shows_it(client: httpx.Client, cat: bytes, row: list[float]) -> None:
    body = json.dumps({"instances": [b64(cat)]})
    url = f"{client.base_url}/v1/models/cifar10:predict"
    done = subprocess.run(["curl", "-s", "-d", body, "-X", "POST", url], capture_output=True, check=True)
    assert json.loads(done.stdout) == {"predictions": [row]}


@pytest.mark.parametrize("place", ["", "/versions/2"])
@pytest.mark.parametrize(
    "form", ["b64", "named", "text", "numbers", "floats", "named numbers", "oddly named", "escaped", "long"]
)
def test_rows(client: httpx.Client, samples: dict[str, list[Path]], row: list[float], place: str, form: str) -> None:
    path = next(path for path in samples["cifar10"] if path.name == "cifar10_cat_0.png")
    file = b64(path.read_bytes())
    instance = {
        "b64": file,
        "named": {"input_1": file},
        "text": file["b64"],
        "numbers": pixels(path),
        "floats": np.asarray(pixels(path), np.float32).tolist(),
        "named numbers": {"conv2d_input": pixels(path)},
        "oddly named": {"gr\u00f6\u00dfe/x:0": pixels(path)},
        "escaped": {'the "x"\n\\': pixels(path)},
        "long": {"n" * 1000: pixels(path)},
    }[form]
    document = {"signature_name": "serving_default", "instances": [instance, instance]}
    body = json.dumps(document, ensure_ascii=False).encode()
    answer = client.post(f"/v1/models/cifar10{place}:predict", content=body)
    assert answer.json() == {"predictions": [row, row]}
    assert "inference;dur=" in answer.headers["server-timing"]


@pytest.mark.parametrize("count", [65, 1024])
def test_as_many_rows_as_images_are_allowed_may_name_their_input(
    client: httpx.Client, samples: dict[str, list[Path]], count: int
) -> None:
    instance = {"image": pixels(samples["mnist"][0])}
    answer = client.post("/v1/models/mnist:predict", json={"instances": [instance] * count})
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["predictions"]) == count


def test_more_rows_than_images_are_allowed_are_too_many_images(
    client: httpx.Client, samples: dict[str, list[Path]]
) -> None:
    instance = {"image": pixels(samples["mnist"][0])}
    answer = client.post("/v1/models/mnist:predict", json={"instances": [instance] * 1025})
    assert (answer.status_code, answer.json()["error"][:11]) == (413, "1025 images")


@pytest.mark.parametrize("name", [None, "anything"])
@pytest.mark.parametrize("form", ["b64", "numbers"])
def test_columns(
    client: httpx.Client, samples: dict[str, list[Path]], row: list[float], name: str | None, form: str
) -> None:
    path = next(path for path in samples["cifar10"] if path.name == "cifar10_cat_0.png")
    column = [b64(path.read_bytes()) if form == "b64" else pixels(path)]
    inputs = column if name is None else {name: column}
    answer = client.post("/v1/models/cifar10:predict", json={"inputs": inputs})
    assert answer.json() == {"outputs": [row]}


def test_grey_pictures_may_leave_out_the_axis_of_channels(client: httpx.Client, samples: dict[str, list[Path]]) -> None:
    with_axis = [pixels(path) for path in samples["mnist"]]
    without = np.array(with_axis)[..., 0].tolist()
    answers = [
        client.post("/v1/models/mnist:predict", json={"instances": sent}).json() for sent in (with_axis, without)
    ]
    assert len(answers[0]["predictions"]) == 20
    assert answers[0] == answers[1]


def test_classify_lists_every_label(client: httpx.Client, cat: bytes, predicted: Predicted) -> None:
    document = {"examples": [{"image": b64(cat)}, {"image": b64(cat)}]}
    answer = client.post("/v1/models/cifar10:classify", json=document).json()["result"]
    assert answer == [[list(pair) for pair in predicted(cat).items()]] * 2


def test_status_and_metadata(client: httpx.Client) -> None:
    status = client.get("/v1/models/cifar10").json()
    there = [folder.name for folder in (ROOT / "models" / "cifar10").iterdir() if folder.is_dir()]
    assert [(version["version"], version["state"]) for version in status["model_version_status"]] == [
        (version, "AVAILABLE") for version in sorted(there, key=int, reverse=True)
    ]
    assert len(client.get("/v1/models/cifar10/versions/1").json()["model_version_status"]) == 1
    assert client.get("/v1/models").json() == {"models": ["cifar10", "mnist"]}
    metadata = client.get("/v1/models/mnist/versions/1/metadata").json()
    assert metadata["model_spec"] == {"name": "mnist", "signature_name": "", "version": "1"}
    signature = metadata["metadata"]["signature_def"]["signature_def"]["serving_default"]
    sizes = [dimension["size"] for dimension in signature["inputs"]["image"]["tensor_shape"]["dim"]]
    assert sizes == ["-1", "28", "28", "1"]
    assert client.get("/v1/models/mnist/metadata").json()["model_spec"]["version"] == "2"


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/v1/models/dog", "no model 'dog' is served"),
        ("/v1/models/dog/metadata", "no model 'dog' is served"),
        ("/v1/models/mnist/versions/9", "has no version '9'; it has 1, 2"),
        ("/v1/models/mnist/some/where", "there is no /v1/models/mnist/some/where"),
    ],
)
def test_what_is_not_there_is_told_in_its_form(client: httpx.Client, path: str, said: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert said in answer.json()["error"]


@pytest.mark.parametrize("verb", ["predict", "classify", "regress", "explain"])
@pytest.mark.parametrize("method", ["GET", "DELETE", "POST"])
def test_what_follows_a_colon_is_a_verb_and_no_part_of_a_name(client: httpx.Client, verb: str, method: str) -> None:
    answer = client.request(method, f"/v1/models/cifar10:{verb}")
    if verb in ("regress", "explain"):
        assert (answer.status_code, "there is no" in answer.json()["error"]) == (404, True)
    elif method != "POST":
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


BLANK = np.zeros((32, 32, 3), int)


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({}, "send either `instances` or `inputs`"),
        ({"instances": ["AAAA"], "inputs": ["AAAA"]}, "send either `instances` or `inputs`"),
        ({"instances": {}}, "`instances` must be a list"),
        ({"instances": [{}]}, "one has the members none"),
        ({"instances": [{"data": "AAAA", "target": 0}]}, "one has the members data, target"),
        ({"instances": []}, "the list is empty; send pictures in base64, or pixels as [N, 32, 32, 3]"),
        ({"instances": [{"image": []}]}, "the list is empty"),
        ({"instances": [1.5]}, "This model takes pixels as they are in the picture, [N, 32, 32, 3]"),
        ({"instances": ((BLANK[None] + 128) / 255.0).tolist()}, "and scales them itself"),
        ({"instances": (BLANK[None] + 1.0).tolist()}, "only 0.0 and 1.0; write pixels from 0 to 1 as 0 to 255"),
        ({"instances": (BLANK[None] - 1).tolist()}, "whole numbers from 0 to 255"),
        ({"instances": BLANK.tolist()}, "nested as [32, 32, 3]; this model takes pixels as [N, 32, 32, 3]"),
        ({"instances": BLANK[None, 1:].tolist()}, "nested as [1, 31, 32, 3]"),
        ({"instances": [{"image": BLANK[1:].tolist()}]}, "nested as [31, 32, 3]"),
        ({"instances": [{"image": BLANK[None].tolist()}]}, "nested as [1, 32, 32, 3]"),
        ({"instances": [{"image": BLANK.tolist()}, {"image": {"b64": "AAAA"}}]}, "send one kind in a request"),
        ({"instances": [{"a": {"b": {"c": "AAAA"}}}]}, "each of `instances` must be a picture"),
        ({"instances": [{"image": {"url": "AAAA"}}]}, "each of `instances` must be a picture"),
        ({"inputs": {"a": ["AAAA"], "b": ["AAAA"]}}, "must have one input"),
        ({"instances": ["AAAA"], "signature_name": "other"}, "signature_name is 'other'; the model has one signature"),
        ({"instances": ["AAAA"], "signature_name": {}}, "signature_name is not text"),
        ({"instances": ["AAAA"], "output_filter": []}, "unknown member 'output_filter'"),
        ({"instances": ["AAAA"] * 1025}, "1025 images in one request"),
        ({"instances": np.zeros((1025, 28, 28, 3), int).tolist()}, "nested as [1025, 28, 28, 3]"),
        ({"instances": np.zeros((1025, 32, 32, 3), int).tolist()}, "more numbers than the 3145728 allowed"),
        ({"instances": [{"a": [{}] * 20_000}]}, "more elements than the 1024 images allowed would need"),
    ],
)
def test_other_json_is_refused_with_what_would_be_right(client: httpx.Client, document: Any, said: str) -> None:
    answer = client.post("/v1/models/cifar10:predict", json=document)
    assert 400 <= answer.status_code < 500
    assert said in answer.json()["error"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"instances": [1', b'{"instances": [NaN]}', b"\xff"])
def test_what_is_no_json_object_is_refused(client: httpx.Client, body: bytes) -> None:
    answer = client.post("/v1/models/cifar10:predict", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_a_member_that_is_given_twice_is_refused(client: httpx.Client) -> None:
    body = b'{"instances": ["AAAA"], "instances": ["BBBB"]}'
    answer = client.post("/v1/models/cifar10:predict", content=body)
    assert "`instances`" in answer.text.replace("'", "`")
    assert "twice" in answer.json()["error"]


def test_classify_needs_examples(client: httpx.Client) -> None:
    answer = client.post("/v1/models/cifar10:classify", json={"instances": ["AAAA"]})
    assert answer.status_code == 400
    assert "known: signature_name, examples, context" in answer.json()["error"]
