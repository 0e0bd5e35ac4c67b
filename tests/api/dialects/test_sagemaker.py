"""The SageMaker dialect: the requests that SageMaker sends to a container. The container itself: tests/image."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.api.json_writing import STEP_NUMBERS
from service.api.schemas import PIXEL as PIXEL_IN_BASE64
from tests.process import ServerProcess

Predicted = Callable[..., dict[str, float]]
ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
PNG = {"Content-Type": "image/png"}
LINES = {"Content-Type": "application/jsonlines"}
PIXEL = base64.b64decode(PIXEL_IN_BASE64)


@pytest.mark.parametrize("media_type", ["image/png", "application/x-image", "application/octet-stream"])
def test_a_picture_is_answered_as_predict_answers_it(client: httpx.Client, cat: bytes, media_type: str) -> None:
    answer = client.post("/invocations", content=cat, headers={"Content-Type": media_type})
    assert answer.json() == client.post("/predict", content=cat, headers=PNG).json()
    assert answer.headers[ATTRIBUTES] == "model=cifar10,version=2"
    assert answer.headers.get_list("server-timing")[0].startswith("decode")
    assert len(answer.headers.get_list("server-timing")) == 1


def test_custom_attributes_name_the_model(client: httpx.Client, samples: dict[str, list[Path]]) -> None:
    picture = samples["mnist"][14].read_bytes()
    attributes = {ATTRIBUTES: "model=mnist, version=1,top_k=2,probabilities=none"}
    answer = client.post("/invocations", content=picture, headers=PNG | attributes)
    assert answer.headers[ATTRIBUTES] == "model=mnist,version=1"
    (prediction,) = answer.json()["predictions"]
    assert len(prediction["top"]) == 2
    assert "probabilities" not in prediction


def test_the_attributes_of_the_tf_serving_container_name_the_model(client: httpx.Client, cat: bytes) -> None:
    document = {"instances": [{"b64": base64.b64encode(cat).decode()}]}
    attributes = {ATTRIBUTES: "trace-id=5f91,tfs-model-name=mnist,tfs-model-version=1,tfs-method=predict"}
    answer = client.post("/invocations", json=document, headers=attributes)
    assert answer.headers[ATTRIBUTES] == "model=mnist,version=1"


@pytest.mark.parametrize(
    "text", ["", "c000b4f9-df62-4c85-a0bf-7c525f9104a4", "trace-id=5f91,span=1", "name=a,k=3", "=,=", ",,"]
)
def test_attributes_of_the_client_s_own_are_passed_over(client: httpx.Client, cat: bytes, text: str) -> None:
    answer = client.post("/invocations", content=cat, headers=PNG | {ATTRIBUTES: text})
    assert answer.json()["predictions"][0]["label"] == "cat"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("model=dog", "no model 'dog' is served"),
        ("modle=mnist", "unknown custom attribute 'modle'; is model meant?"),
        ("topk=3", "is top_k meant?"),
        ("model_name=mnist", "unknown custom attribute 'model_name'; is model meant?"),
        ("trace-id=5f91,Model-Version=1", "is model meant?"),
        ("versions=1", "is version meant?"),
        ("min_conf=0.99", "is min_confidence meant?"),
        ("MinConf=0.99", "is min_confidence meant?"),
        ("prob=none", "is probabilities meant?"),
        ("model=mnist,color=red", "unknown custom attribute 'color'; known: model, version, top_k, probabilities"),
        ("model=mnist,model=cifar10", "given twice"),
        ("tfs-model-name=dog", "no model 'dog' is served"),
        ("model=mnist,tfs-model-name=cifar10", "given twice"),
        ("tfs-model=mnist", "is model meant?"),
        ("tfs-method=classify", "the custom attribute tfs-method is 'classify'; it can only be predict"),
        ("top_k=0", "top_k is '0'"),
        ("top_k=1,a=b", "known: model, version, top_k, probabilities, prepare, min_confidence"),
    ],
)
def test_wrong_attributes_are_refused(client: httpx.Client, cat: bytes, text: str, said: str) -> None:
    answer = client.post("/invocations", content=cat, headers=PNG | {ATTRIBUTES: text})
    assert answer.status_code in (400, 404)
    assert said in answer.json()["error"]


def test_json_of_other_containers_gets_their_answers(client: httpx.Client, cat: bytes, predicted: Predicted) -> None:
    text = base64.b64encode(cat).decode()
    probabilities = predicted(cat)
    predictions = client.post("/invocations", json={"instances": [{"b64": text}]}).json()["predictions"]
    assert sorted(predictions[0], reverse=True) == list(probabilities.values())
    scores = client.post("/invocations", json={"parameters": {"top_k": 1}, "inputs": text}).json()
    assert scores == [{"label": "cat", "score": probabilities["cat"]}]
    own = client.post("/invocations", json={"images": [text], "top_k": 1}).json()
    assert own["predictions"][0]["top"][0]["label"] == "cat"
    named = client.post("/invocations", json={"instances": [{"b64": text}]}, headers={ATTRIBUTES: "version=1"})
    assert named.headers[ATTRIBUTES] == "model=cifar10,version=1"


def test_batch_transform_sends_a_picture_a_line(client: httpx.Client, samples: dict[str, list[Path]]) -> None:
    pictures = [path.read_bytes() for path in samples["cifar10"]]
    texts = [base64.b64encode(picture).decode() for picture in pictures]
    lines = [json.dumps({"b64": text}) if at % 2 else json.dumps(text) for at, text in enumerate(texts)]
    answer = client.post("/invocations", content="\n".join(lines) + "\n", headers=LINES)
    assert answer.headers["content-type"] == "application/jsonlines"
    wanted = client.post("/predict", files=[("file", ("", picture)) for picture in pictures]).json()["predictions"]
    assert [json.loads(line) for line in answer.text.splitlines()] == wanted
    answer = client.post("/invocations", content="\n".join(lines), headers=LINES | {"Accept": "application/json"})
    assert answer.json()["predictions"] == wanted


def test_batch_transform_sends_a_file(client: httpx.Client, cat: bytes) -> None:
    headers = PNG | {"Accept": "application/jsonlines", ATTRIBUTES: "probabilities=none"}
    answer = client.post("/invocations", content=cat, headers=headers)
    assert json.loads(answer.text)["label"] == "cat"
    assert answer.text.count("\n") == 1


@pytest.mark.parametrize(
    ("sent", "status", "said"),
    [
        ({"content": b"", "headers": LINES}, 400, "each line must be a picture as JSON"),
        ({"content": b'"AAAA"], "x": ["AAAA"', "headers": LINES}, 400, "each line must be a picture as JSON"),
        ({"content": b'"AAAA", "AAAA"', "headers": LINES}, 422, "not a picture in a known format"),
        ({"content": b"{\n{", "headers": LINES}, 400, "the body is not JSON"),
        ({"content": b" iVBORw0KGgo=", "headers": LINES}, 400, "a line begins with 'iVBORw0KGgo=', which is not JSON"),
        ({"content": b'{"instances": ["AAAA"]}', "headers": LINES}, 400, "each line must be a picture as JSON"),
        ({"content": b'"AAAA"\n[[[0, 0, 0]]]', "headers": LINES}, 400, "each line must be a picture as JSON"),
        ({"content": b'"AAAA"\n' * 1025, "headers": LINES}, 413, "1025 images in one request"),
        ({"content": b'"AAAA"\n' * 2060, "headers": LINES}, 413, "2060 images in one request"),
        ({"content": b'"AAAA"\n' * 9000, "headers": LINES}, 413, "too many lines in one request"),
        ({"content": b"\n" * 100_000, "headers": LINES}, 413, "too many lines in one request"),
        ({"content": b"a,b", "headers": {"Content-Type": "text/csv"}}, 415, "'text/csv' is not accepted"),
        ({"json": {"anything": 1}}, 400, "unknown member 'anything'"),
        ({"json": {}}, 400, "`instances` as TF Serving or `inputs` as Hugging Face"),
        ({"json": {"images": ["AAAA"], "on_error": "report"}}, 400, "on_error works with /predict only"),
        ({"json": {"instances": ["AAAA"]}, "headers": {ATTRIBUTES: "top_k=2"}}, 400, "do not work with `instances`"),
        ({"content": b"a", "headers": PNG | {"Accept": "text/csv"}}, 406, "application/jsonlines"),
        (
            {"json": {"instances": ["AAAA"]}, "headers": {"Accept": "application/jsonlines"}},
            406,
            "answers are application",
        ),
        ({"json": {"inputs": "AAAA"}, "headers": {"Accept": "text/csv"}}, 406, "answers are application/json; Accept"),
    ],
)
def test_other_bodies_are_refused_with_what_would_be_right(
    client: httpx.Client, sent: dict[str, Any], status: int, said: str
) -> None:
    answer = client.post("/invocations", **sent)
    assert (answer.status_code, said in answer.json()["error"]) == (status, True), answer.text


@pytest.mark.parametrize("accept", ["application/json", "application/jsonlines"])
@pytest.mark.parametrize(
    "asked", [{"receipt": True}, {"min_confidence": 0.99}, {"coverage": 0.95}, {"familiarity": True}]
)
def test_decisions_are_answered_as_predict_answers_them(
    client: httpx.Client, cat: bytes, asked: dict[str, Any], accept: str
) -> None:
    document = {"images": [base64.b64encode(cat).decode()], "probabilities": "none", **asked}
    answer = client.post("/invocations", json=document, headers={"Accept": accept}).json()
    (wanted,) = client.post("/predict", json=document).json()["predictions"]
    assert (answer if accept.endswith("lines") else answer["predictions"][0]) == wanted
    assert asked.keys() - {"coverage", "min_confidence"} <= wanted.keys()


def test_custom_attributes_ask_for_decisions_of_each_line(client: httpx.Client, cat: bytes) -> None:
    text = base64.b64encode(cat).decode()
    asked = {"min_confidence": 0.99, "receipt": True, "probabilities": "none", "version": "1"}
    attributes = {ATTRIBUTES: "min_confidence=0.99,receipt=true,probabilities=none,version=1"}
    wanted = client.post("/predict", json={"images": [text, text], **asked}).json()
    body = f"\ufeff{json.dumps(text)}\n{json.dumps({'b64': text})}\n"
    answer = client.post("/invocations", content=body, headers=LINES | attributes)
    assert [json.loads(line) for line in answer.text.splitlines()] == wanted["predictions"]
    answer = client.post("/invocations", content=body, headers=LINES | attributes | {"Accept": "application/json"})
    assert answer.json() == wanted


@pytest.mark.parametrize("between", ["\n", "\n\n", "\r\n", " \n\t\n"])
def test_blank_lines_are_no_pictures(client: httpx.Client, cat: bytes, between: str) -> None:
    body = between.join([json.dumps(base64.b64encode(cat).decode())] * 1024) + between
    answer = client.post("/invocations", content=body, headers=LINES | {ATTRIBUTES: "probabilities=none"})
    assert [json.loads(line)["label"] for line in answer.text.splitlines()] == ["cat"] * 1024


def test_lines_of_drawn_digits_are_prepared(client: httpx.Client, samples: dict[str, list[Path]]) -> None:
    text = base64.b64encode(samples["mnist"][14].read_bytes()).decode()
    answer = client.post(
        "/invocations", content=json.dumps(text), headers=LINES | {ATTRIBUTES: "model=mnist,prepare=digit"}
    )
    document = {"images": [text], "model": "mnist", "prepare": "digit"}
    assert [answer.json()] == client.post("/predict", json=document).json()["predictions"]


@pytest.mark.parametrize(
    ("attributes", "line", "said"),
    [
        ("on_error=report", '"AAAA"', "on_error works with /predict only"),
        ("prepare=digit", '"AAAA"', "prepare=digit is for models of light strokes"),
        ("model=mnist,prepare=digit", json.dumps([[[0]] * 28] * 28), "prepare=digit needs pictures"),
        ("receipt=true", json.dumps([[[0, 0, 0]] * 32] * 32), "receipt needs pictures as files"),
        ("coverage=0.5", '"AAAA"', "coverage is 0.5; of cifar10 version 2 it can be"),
    ],
)
def test_what_lines_cannot_have_is_refused(client: httpx.Client, attributes: str, line: str, said: str) -> None:
    answer = client.post("/invocations", content=line, headers=LINES | {ATTRIBUTES: attributes})
    assert (answer.status_code, said in answer.json()["error"]) == (400, True), answer.text


def test_attributes_in_two_headers_are_one_list(client: httpx.Client, cat: bytes) -> None:
    def ask(*attributes: str) -> httpx.Response:
        headers = [*PNG.items(), *((ATTRIBUTES, text) for text in attributes)]
        return client.post("/invocations", content=cat, headers=headers)

    assert ask("model=mnist", "version=1").headers[ATTRIBUTES] == "model=mnist,version=1"
    assert "given twice" in ask("model=mnist", "model=cifar10").json()["error"]


@pytest.mark.parametrize("path", ["/invocations", "/vertex/predict"])
def test_drawn_digits_are_prepared_as_predict_prepares_them(
    client: httpx.Client, samples: dict[str, list[Path]], path: str
) -> None:
    text = base64.b64encode(samples["mnist"][14].read_bytes()).decode()
    document = {"images": [text], "model": "mnist", "prepare": "digit"}
    answer = client.post(path, json=document).json()
    assert answer == client.post("/predict", json=document).json()
    assert answer != client.post("/predict", json=document | {"prepare": "none"}).json()


@pytest.mark.parametrize(
    ("asked", "accept", "said"),
    [
        ({"prepare": "digit"}, "*/*", "prepare=digit is for models of light strokes"),
        ({"coverage": 0.5}, "*/*", "coverage is 0.5; of cifar10 version 2 it can be"),
        ({"receipt": True}, "application/x-npy", "decisions need an answer in JSON"),
    ],
)
def test_what_cannot_be_decided_is_refused(
    client: httpx.Client, cat: bytes, asked: dict[str, Any], accept: str, said: str
) -> None:
    document = {"images": [base64.b64encode(cat).decode()], **asked}
    answer = client.post("/invocations", json=document, headers={"Accept": accept})
    assert (answer.status_code, said in answer.json()["error"]) == (400, True), answer.text


def test_each_line_has_the_warnings_and_the_file_of_its_own_picture(tmp_path: Path, cat: bytes) -> None:
    flags = ("--dialects", "sagemaker", "--max-images-per-request", "2000")
    count = STEP_NUMBERS // 10 + 2  # more than are written in one step
    files = [("file", (f"{at}.png", cat)) for at in range(count - 1)] + [("file", ("blank.png", PIXEL))]
    with ServerProcess(tmp_path / "log", *flags) as process:
        answer = httpx.post(f"{process.url}/invocations", files=files, headers={"Accept": LINES["Content-Type"]})
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [line["file"] for line in lines] == [name for _, (name, _) in files]
    assert [at for at, line in enumerate(lines) if "warnings" in line] == [count - 1]


def test_two_pictures_in_a_line_are_refused(client: httpx.Client, cat: bytes) -> None:
    text = json.dumps(base64.b64encode(cat).decode())
    answer = client.post("/invocations", content=f"{text},{text}", headers=LINES)
    assert (answer.status_code, "each line must be" in answer.json()["error"]) == (400, True)
