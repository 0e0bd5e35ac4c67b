"""Keys on a real server: every route, every way to send a key, and no secret in logs or answers."""

from collections.abc import Iterator
from typing import NamedTuple

import httpx
import pytest

from tests.fixtures.keys import bearer, write_keys
from tests.process import ServerProcess

PNG = {"Content-Type": "image/png"}
OPEN = ("/health/live", "/health/ready", "/docs", "/openapi.json", "/static-offline-docs/swagger-ui.css")


class Guarded(NamedTuple):
    """A server with keys, by the scope of each."""

    http: httpx.Client
    process: ServerProcess
    keys: dict[str, str]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("guarded")
    flags, keys = write_keys(folder, predict=("predict",), metrics=("metrics",), control=("control",))
    _, slow = write_keys(folder, "2/hour", slow=("predict",))
    flags += ["--log-level", "debug", "--access-log", "true", "--model-control", "true"]
    with ServerProcess(folder / "log", *flags) as process, httpx.Client(base_url=process.url, timeout=30) as http:
        yield Guarded(http, process, keys | slow)


@pytest.mark.parametrize("path", OPEN)
def test_health_and_the_docs_are_open(guarded: Guarded, path: str) -> None:
    assert guarded.http.get(path).status_code == 200


@pytest.mark.parametrize("name", ["Authorization", "authorization", "X-API-Key"])
def test_a_key_is_taken_from_either_header(guarded: Guarded, cat: bytes, name: str) -> None:
    key = guarded.keys["predict"]
    value = key if name == "X-API-Key" else f"bearer {key}"
    answer = guarded.http.post("/predict", content=cat, headers={**PNG, name: value})
    assert answer.json()["predictions"][0]["label"] == "cat"


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("POST", "/predict", "predict"),
        ("POST", "/models/mnist/predict", "predict"),
        ("GET", "/models", "predict"),
        ("GET", "/nothing/here", "predict"),
        ("OPTIONS", "/predict", "predict"),
        ("GET", "/metrics", "metrics"),
        ("HEAD", "/metrics", "metrics"),
        ("POST", "/v2/repository/models/none/load", "control"),
        ("POST", "/v2/repository/models/none/unload", "control"),
        ("GET", "/v2/models/mnist", "predict"),
    ],
)
def test_each_route_needs_its_scope(guarded: Guarded, method: str, path: str, scope: str) -> None:
    without = guarded.http.request(method, path)
    assert without.status_code == 401
    assert without.headers["www-authenticate"] == "Bearer"
    for other in {"predict", "metrics", "control"} - {scope}:
        assert guarded.http.request(method, path, headers=bearer(guarded.keys[other])).status_code == 403
    with_key = guarded.http.request(method, path, headers=bearer(guarded.keys[scope]))
    assert with_key.status_code not in {401, 403}


@pytest.mark.parametrize(
    "path",
    [
        "//metrics",
        "/metrics/",
        "/%6detrics",
        "/docs/../metrics",
        "/docs/%2e%2e/metrics",
        "/metrics%0A",
        "/metrics%0a/",
    ],
)
def test_another_spelling_of_a_path_opens_nothing(guarded: Guarded, path: str) -> None:
    address = httpx.URL(guarded.process.url).copy_with(raw_path=path.encode())
    answer = guarded.http.get(address, headers=bearer(guarded.keys["predict"]))
    assert "convoy_requests_total" not in answer.text


def test_below_v2_a_refusal_is_the_protocols_own(guarded: Guarded) -> None:
    assert set(guarded.http.get("/v2/models/mnist").json()) == {"error"}


def test_a_refusal_is_a_problem_document(guarded: Guarded) -> None:
    answer = guarded.http.get("/models")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"].endswith("send one as `authorization: Bearer KEY` or `x-api-key: KEY`")
    assert answer.headers["x-request-id"]


def test_a_key_that_is_used_too_often_gets_429_and_the_others_go_on(guarded: Guarded) -> None:
    statuses = [guarded.http.get("/models", headers=bearer(guarded.keys["slow"])).status_code for _ in range(3)]
    assert statuses == [200, 200, 429]
    refused = guarded.http.get("/models", headers=bearer(guarded.keys["slow"]))
    assert 1 <= int(refused.headers["retry-after"]) <= 3600
    assert guarded.http.get("/models", headers=bearer(guarded.keys["predict"])).status_code == 200


def test_no_secret_stands_in_log_errors_metrics_or_docs(guarded: Guarded) -> None:
    keys = guarded.keys
    wrong = keys["predict"][:-4] + "AAAA"
    told = [guarded.http.get("/models", headers=bearer(key)).text for key in (wrong, *keys.values())]
    told += [guarded.http.get(f"/models?key={wrong}", headers={"Authorization": f"Basic {wrong}"}).text]
    told += [guarded.http.get("/metrics", headers=bearer(keys["metrics"])).text]
    told += [guarded.http.get(path).text for path in ("/docs", "/openapi.json")]
    told += [guarded.process.log.read_text()]
    assert guarded.keys["predict"].split("_")[1] in told[-1], "the log names keys by their ids"
    for key in (wrong, *keys.values()):
        secret = key.split("_", 2)[2]  # the secret may contain underscores
        assert not any(secret[:10] in text for text in told)


def test_the_schema_names_the_two_headers(guarded: Guarded) -> None:
    document = guarded.http.get("/openapi.json").json()
    assert document["components"]["securitySchemes"]["header"]["name"] == "X-API-Key"
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    assert document["paths"]["/predict"]["post"]["security"] == [{"bearer": []}, {"header": []}]
    assert "security" not in document["paths"]["/health/live"]["get"]


def test_where_no_keys_are_set_nothing_asks_for_one(client: httpx.Client) -> None:
    assert client.get("/models").status_code == 200
    assert "securitySchemes" not in client.get("/openapi.json").json()["components"]


def test_pages_carry_security_headers(client: httpx.Client) -> None:
    headers = client.get("/docs").headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "'unsafe-inline'" not in headers["content-security-policy"].partition("script-src")[2].partition(";")[0]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert "content-security-policy" not in client.get("/models").headers
