"""Properties of all dialects: off unless they are named, keys, metrics, the OpenAPI document."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from service.api.dialects.choice import choose_dialects
from service.api.dialects.missing import REQUESTS, name_missing
from service.settings_reader import read_settings
from tests.api.dialects.conftest import DIALECTS
from tests.fixtures.keys import bearer, write_keys
from tests.process import ROOT, ServerProcess

ASKED = {
    "huggingface": ("POST", "/models/cifar10"),
    "sagemaker": ("POST", "/invocations"),
    "vertex": ("POST", "/vertex/predict"),
    "tfserving": ("POST", "/v1/models/cifar10:predict"),
    "torchserve": ("PUT", "/predictions/cifar10"),
}
"""A request of each dialect that classifies, with one picture as its whole body where that is enough."""
OPEN = ("/health", "/ping", "/vertex/health")


def test_no_dialect_is_on_where_none_is_named() -> None:
    assert choose_dialects(read_settings([])) is None


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with one dialect, which has paths of its own."""
    with ServerProcess(tmp_path_factory.mktemp("plain") / "log", "--dialects", "vertex") as process:
        yield process


@pytest.mark.parametrize(
    ("name", "method", "path"),
    [
        *((name, *asked) for name, asked in ASKED.items() if name != "vertex"),
        ("huggingface", "GET", "/models/cifar10/health"),
        ("sagemaker", "GET", "/execution-parameters"),
        ("tfserving", "GET", "/v1/models"),
        ("torchserve", "POST", "/explanations/cifar10"),
    ],
)
def test_a_dialect_that_is_off_is_named(plain: ServerProcess, name: str, method: str, path: str) -> None:
    answer = httpx.request(method, plain.url + path)
    assert answer.status_code in (404, 405)
    assert answer.json()["detail"].endswith(f"API; --dialects vertex,{name} turns it on")


def test_the_requests_of_a_dialect_that_is_off_are_those_that_it_has() -> None:
    dialects = choose_dialects(read_settings(["--dialects", ",".join(DIALECTS)]))
    assert dialects is not None
    assert {dialect.name: dialect.own for dialect in dialects} == dict(REQUESTS)


def test_every_dialect_of_a_path_is_named() -> None:
    hint = "this is SageMaker's or TorchServe's API; --dialects sagemaker or --dialects torchserve turns it on"
    assert name_missing("GET", "/ping", ()) == hint


@pytest.mark.parametrize(
    ("method", "path", "own"), [("POST", "/", "/predict"), ("GET", "/health", "/health/live and /health/ready")]
)
def test_what_the_service_itself_has_instead_is_named(method: str, path: str, own: str) -> None:
    hint = f"this is Hugging Face's API; --dialects huggingface turns it on; Convoy's own API has {own}"
    assert name_missing(method, path, ()) == hint


@pytest.mark.parametrize(("method", "path"), [("GET", "/nowhere"), ("POST", "/models"), ("POST", "/vertex/health")])
def test_no_dialect_is_named_for_other_requests(plain: ServerProcess, method: str, path: str) -> None:
    assert "--dialects" not in httpx.request(method, plain.url + path).text


def test_a_dialect_that_is_not_known_is_refused() -> None:
    command = [sys.executable, "-m", "service", "--dialects", "klingon"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "huggingface" in done.stderr


@pytest.mark.parametrize("name", DIALECTS)
def test_requests_are_counted_by_dialect(client: httpx.Client, name: str) -> None:
    method, path = ASKED[name]
    path = path.replace("cifar10", "nothing")
    counted = f'convoy_dialect_requests_total{{dialect="{name}",status="4'
    before = sum(line.startswith(counted) for line in client.get("/metrics").text.splitlines())
    assert 400 <= client.request(method, path, content=b"nothing").status_code < 500
    lines = [line for line in client.get("/metrics").text.splitlines() if line.startswith(counted)]
    assert len(lines) >= max(1, before)


def test_the_document_describes_every_dialect_under_a_tag_of_its_own(client: httpx.Client) -> None:
    answer = client.get("/openapi.json")
    document = answer.json()
    referred = set(re.findall(r'"#/components/schemas/(\w+)"', answer.text))
    assert referred <= set(document["components"]["schemas"])
    for template, path in document["paths"].items():
        for operation in path.values():
            named = {given["name"] for given in operation.get("parameters", ()) if given["in"] == "path"}
            assert named == set(re.findall(r"{(\w+)}", template))
    tags: dict[str, int] = {}
    identifiers: list[str] = []
    for path in document["paths"].values():
        for operation in path.values():
            identifiers.append(operation["operationId"])
            for tag in operation["tags"]:
                tags[tag] = tags.get(tag, 0) + 1
    assert len(set(identifiers)) == len(identifiers)
    dialects = choose_dialects(read_settings(["--dialects", ",".join(DIALECTS)]))
    assert dialects is not None
    assert all(tags[dialect.tag] for dialect in dialects)
    assert "get" in document["paths"]["/models/{name}"]  # of the service's own API, in addition to a dialect's POST


@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.parametrize("query", ["model=mnist", "top_k=1", "a", "=", "%ff=1"])
def test_parameters_in_the_address_are_refused_and_not_passed_over(
    client: httpx.Client, name: str, query: str, cat: bytes
) -> None:
    method, path = ASKED[name]
    answer = client.request(method, f"{path}?{query}", content=cat)
    assert answer.status_code == 400
    assert "this API takes none there" in answer.text
    assert answer.json().keys() <= {"error", "code", "type", "message"}


@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.parametrize("body", [b"", b" ", b"{", b"\xff", b"null"])
def test_what_is_no_json_is_refused_with_what_would_be_right(client: httpx.Client, name: str, body: bytes) -> None:
    method, path = ASKED[name]
    answer = client.request(method, path, content=body, headers={"Content-Type": "application/json"})
    document = answer.json()
    said = document.get("error") or document["message"]
    assert answer.status_code == 400
    assert "zero-length" not in said
    assert "send" in said


@pytest.mark.parametrize("name", ["huggingface", "torchserve", "sagemaker", "vertex"])
def test_a_picture_that_curl_has_damaged_is_told_of(client: httpx.Client, name: str, cat: bytes) -> None:
    method, path = ASKED[name]
    mangled = bytes(sign for sign in cat if sign not in b"\n\r\0")
    answer = client.request(method, path, content=mangled, headers={"Content-Type": "image/png"})
    assert answer.status_code == 422
    assert "send it with `curl --data-binary`" in answer.text


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder: Path = tmp_path_factory.mktemp("guarded")
    flags, keys = write_keys(folder, predict=("predict",))
    flags += ["--dialects", ",".join(DIALECTS), "--cors-origins", "https://example.org"]
    with ServerProcess(folder / "log", *flags) as process:
        process.key = keys["predict"]  # type: ignore[attr-defined]
        yield process


@pytest.mark.parametrize("name", DIALECTS)
def test_with_keys_every_dialect_asks_for_one(guarded: ServerProcess, name: str, cat: bytes) -> None:
    method, path = ASKED[name]
    refused = httpx.request(method, guarded.url + path, content=cat)
    assert refused.status_code == 401
    document = refused.json()
    assert "needs a key" in str(document.get("error", document.get("message")))
    headers = bearer(guarded.key)  # type: ignore[attr-defined]
    assert httpx.request(method, guarded.url + path, content=cat, headers=headers).status_code != 401


@pytest.mark.parametrize("path", OPEN)
def test_the_pings_need_no_key(guarded: ServerProcess, path: str) -> None:
    assert httpx.get(guarded.url + path).status_code == 200


@pytest.mark.parametrize("name", DIALECTS)
def test_pages_of_other_origins_may_send_what_a_dialect_takes(guarded: ServerProcess, name: str) -> None:
    method, path = ASKED[name]
    headers = {"Origin": "https://example.org", "Access-Control-Request-Method": method}
    answer = httpx.options(guarded.url + path, headers=headers)
    assert answer.status_code == 200
    assert method in answer.headers["access-control-allow-methods"]


def test_all_methods_of_a_path_are_allowed_by_name(client: httpx.Client) -> None:
    answer = client.request("DELETE", "/models/cifar10")  # GET belongs to the service's own API, POST to a dialect
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, POST")
    assert "GET and POST are" in answer.text
    assert client.get("/predictions/cifar10").headers["allow"] == "POST, PUT"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("DELETE", "/vertex/health", 405),
        ("DELETE", "/vertex/predict", 405),
        ("GET", "/execution-parameters", 404),
        ("GET", "/invocations", 405),
        ("POST", "/ping", 405),
        ("POST", "/v1/models/cifar10:explain", 404),
        ("PATCH", "/predictions/cifar10", 405),
        ("POST", "/explanations/cifar10", 404),
    ],
)
def test_what_is_not_there_is_told_in_the_form_of_the_dialect(
    client: httpx.Client, method: str, path: str, status: int
) -> None:
    answer = client.request(method, path)
    assert answer.status_code == status
    assert answer.json().keys() in ({"error"}, {"code", "type", "message"})


def test_the_root_needs_a_key_only_for_classifying(guarded: ServerProcess, cat: bytes) -> None:
    assert httpx.get(guarded.url).status_code == 200
    assert httpx.head(guarded.url).status_code == 200
    assert httpx.post(guarded.url, content=cat).status_code == 401
