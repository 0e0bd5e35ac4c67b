"""The TorchServe dialect, with the requests of TorchServe's documentation."""

import base64
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.process import SAMPLES

Predicted = Callable[..., dict[str, float]]
CAT, SHIP = (str(SAMPLES / f"cifar10_{name}_0.png") for name in ("cat", "ship"))
curl_is_here = pytest.mark.skipif(shutil.which("curl") is None, reason="the documentation's requests need curl")


def first_five(probabilities: dict[str, float]) -> list[tuple[str, float]]:
    return list(probabilities.items())[:5]


def curl(*words: str) -> Any:
    return json.loads(subprocess.run(["curl", "-s", *words], capture_output=True, check=True).stdout)


@curl_is_here
@pytest.mark.parametrize("place", ["", "/2", "/2.0"])
@pytest.mark.parametrize(
    "words", [("-T", CAT), ("-F", f"data=@{CAT}"), ("-F", f"body=@{CAT}"), ("--data-binary", f"@{CAT}")]
)
def test_requests_as_its_documentation_shows_them(
    client: httpx.Client, cat: bytes, predicted: Predicted, place: str, words: tuple[str, str]
) -> None:
    answer = curl(f"{client.base_url}/predictions/cifar10{place}", *words)
    assert list(answer.items()) == first_five(predicted(cat))


@curl_is_here
def test_several_pictures_in_a_request(client: httpx.Client, predicted: Predicted) -> None:
    answers = curl(f"{client.base_url}/predictions/cifar10", "-F", f"data=@{CAT}", "-F", f"data=@{SHIP}")
    assert [list(answer.items()) for answer in answers] == [
        first_five(predicted(Path(file).read_bytes())) for file in (CAT, SHIP)
    ]


@pytest.mark.parametrize("place", ["/1", "/1.0"])
def test_a_version_is_named_as_its_archives_name_it(
    client: httpx.Client, cat: bytes, predicted: Predicted, place: str
) -> None:
    answer = client.post(f"/predictions/cifar10{place}", content=cat).json()
    assert list(answer.items()) == first_five(predicted(cat, "/models/cifar10/versions/1/predict"))


def test_json_bodies(client: httpx.Client, cat: bytes, predicted: Predicted) -> None:
    text = base64.b64encode(cat).decode()
    wanted = dict(first_five(predicted(cat)))
    assert client.post("/predictions/cifar10", json={"data": text}).json() == wanted
    document = {"instances": [{"data": text}, {"b64": text}, {"data": {"b64": text}}]}
    assert client.post("/predictions/cifar10", json=document).json() == {"predictions": [wanted] * 3}


def test_ping(client: httpx.Client) -> None:
    assert client.get("/ping").json() == {"status": "Healthy"}
    assert client.head("/ping").status_code == 200


@pytest.mark.parametrize(
    ("asked", "status", "kind", "said"),
    [
        ("POST /predictions/dog", 404, "ModelNotFoundException", "no model 'dog' is served; served: cifar10, mnist"),
        ("POST /predictions/cifar10/9", 404, "ModelNotFoundException", "has no version '9'"),
        ("POST /predictions/cifar10/1.5", 404, "ModelNotFoundException", "has no version '1.5'"),
        ("GET /predictions/cifar10", 405, "MethodNotAllowedException", "GET is not answered here"),
        ("POST /predictions/cifar10", 422, "BadRequestException", "it is not a picture in a known format"),
        ("POST /predictions", 404, "ModelNotFoundException", "there is no /predictions"),
        ("POST /explanations/cifar10", 404, "ModelNotFoundException", "there is no /explanations/cifar10"),
    ],
)
def test_errors_are_told_in_its_form(client: httpx.Client, asked: str, status: int, kind: str, said: str) -> None:
    answer = client.request(*asked.split(), content=b"no picture")
    assert answer.status_code == status
    assert (answer.json()["code"], answer.json()["type"]) == (status, kind)
    assert said in answer.json()["message"]


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"files": {"picture": b"a"}}, "unknown form field 'picture'; known: data, body"),
        ({"content": b"--X--\r\n", "headers": {"content-type": "multipart/form-data; boundary=X"}}, "no part named"),
        ({"content": b"", "headers": {"content-type": "multipart/form-data"}}, "without a boundary"),
        ({"content": b"a", "headers": {"content-type": "text/plain"}}, "'text/plain' is not accepted; send"),
        ({"json": {"data": [[0, 1], [2, 3]]}}, "`data` must be a picture in base64"),
        ({"json": {"text": "a"}}, "unknown member 'text'; known: instances, data, body"),
        ({"json": {}}, "the JSON is not of the right form; send"),
        ({"json": {"data": "AAAA", "body": "AAAA"}}, "the JSON is not of the right form; send"),
        ({"json": {"instances": [[0.5]]}}, "whole numbers from 0 to 255"),
        ({"files": [("data", b"a")] * 1041}, "the form is over a limit"),
    ],
)
def test_other_bodies_are_refused_with_what_would_be_right(
    client: httpx.Client, sent: dict[str, Any], said: str
) -> None:
    answer = client.post("/predictions/cifar10", **sent)
    assert 400 <= answer.status_code < 500
    assert said in answer.json()["message"]


def test_more_pictures_than_allowed_are_refused(client: httpx.Client, cat: bytes) -> None:
    answer = client.post("/predictions/cifar10", files=[("data", cat)] * 1025)
    assert answer.status_code == 413
    assert answer.json()["type"] == "RequestEntityTooLargeException"
