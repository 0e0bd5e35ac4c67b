"""Models that are loaded, changed and unloaded while the server answers."""

import asyncio
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.fixtures.keys import bearer, write_keys
from tests.fixtures.models import copy_models, publish, reversed_model, wrong_model
from tests.process import ServerProcess
from tests.waiting import until

pytestmark = pytest.mark.slow

REPOSITORY = "/v2/repository"

Part = tuple[str, tuple[str, bytes]]


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return copy_models(tmp_path / "models", "cifar10", "mnist")


@pytest.fixture
def controlled(models: Path, tmp_path: Path) -> Iterator[httpx.Client]:
    with _controlled(models, tmp_path) as http:
        yield http


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A server with model control, for requests that it refuses."""
    folder = tmp_path_factory.mktemp("unchanged")
    room = ("--max-body-bytes", "1000000", "--max-body-bytes-in-flight", "1000000")
    with _controlled(copy_models(folder / "models", "mnist"), folder, *room) as http:
        yield http


@contextmanager
def _controlled(models: Path, folder: Path, *further: str) -> Iterator[httpx.Client]:
    flags, keys = write_keys(folder, all=("predict", "control"))
    flags += ["--models-dir", str(models), "--model-control", "true", *further]
    with (
        ServerProcess(folder / "log", *flags) as process,
        httpx.Client(base_url=process.url, timeout=30, headers=bearer(keys["all"])) as http,
    ):
        yield http


def _index(http: httpx.Client, **body: Any) -> list[tuple[str, str, str]]:
    entries = http.post(f"{REPOSITORY}/index", json=body).json()
    return [(entry["name"], entry["version"], entry["state"]) for entry in entries]


def _change(http: httpx.Client, change: str, name: str, **parameters: Any) -> httpx.Response:
    body = {"parameters": parameters} if parameters else {}
    return http.post(f"{REPOSITORY}/models/{name}/{change}", json=body)


def test_a_new_version_is_loaded_and_unloaded_by_name(controlled: httpx.Client, models: Path, cat: bytes) -> None:
    def version() -> str:
        answer = controlled.post("/predict", content=cat, headers={"Content-Type": "image/png"}).json()
        assert answer["predictions"][0]["label"] == "cat"
        return str(answer["version"])

    publish(models, "cifar10", "2", reversed_model("cifar10", "2"))
    assert ("cifar10", "2", "UNAVAILABLE") in _index(controlled)
    assert version() == "1"
    loaded = _change(controlled, "load", "cifar10", version="2")
    assert loaded.json() == {"name": "cifar10", "versions": ["2"], "load": True}
    assert version() == "2"
    assert controlled.get("/v2/models/cifar10").json()["versions"] == ["1", "2"]
    unloaded = _change(controlled, "unload", "cifar10", version="2")
    assert unloaded.json() == {"name": "cifar10", "versions": ["2"], "unload": True}
    assert version() == "1"
    assert _index(controlled, ready=True) == [("cifar10", "1", "READY"), ("mnist", "1", "READY")]


def test_a_wrong_version_is_refused_by_name_with_nothing_lost(controlled: httpx.Client, models: Path) -> None:
    publish(models, "mnist", "2", wrong_model("mnist", "2"))
    refused = _change(controlled, "load", "mnist", version="2")
    assert refused.status_code == 422
    assert "mnist/2/model.onnx: golden image" in refused.json()["error"]
    assert controlled.get("/v2/models/mnist").json()["versions"] == ["1"]
    (entry,) = [entry for entry in controlled.post(f"{REPOSITORY}/index").json() if entry["version"] == "2"]
    assert entry["reason"] == refused.json()["error"]


def test_a_serving_version_survives_a_file_that_is_broken(controlled: httpx.Client, models: Path) -> None:
    publish(models, "mnist", "1", b"not a model")
    assert _change(controlled, "load", "mnist").status_code == 422
    assert controlled.get("/v2/models/mnist/versions/1/ready").status_code == 200


def test_every_version_is_unloaded_and_loaded_where_none_is_named(controlled: httpx.Client, models: Path) -> None:
    publish(models, "mnist", "2", reversed_model("mnist", "2"))
    assert _change(controlled, "load", "mnist").json()["versions"] == ["1", "2"]
    assert _change(controlled, "unload", "mnist").json()["versions"] == ["1", "2"]
    assert controlled.get("/v2/models/mnist/ready").status_code == 404


@pytest.mark.parametrize(
    ("change", "name", "parameters", "status", "message"),
    [
        ("load", "dog", {}, 404, "the model repository has no dog"),
        ("load", "mnist", {"version": "9"}, 404, "the model repository has no mnist/9"),
        ("load", "..%2F..%2Fetc", {}, 404, "there is no"),
        ("load", "mnist", {"config": "{}"}, 400, "Extra inputs are not permitted"),
        ("load", "mnist", {"version": 1}, 400, "the body at parameters.version"),
        ("unload", "dog", {}, 404, "no model 'dog' is served"),
        ("unload", "mnist", {"version": "9"}, 404, "model 'mnist' has no version '9'; it has 1"),
    ],
)
def test_what_cannot_be_changed_is_said(
    unchanged: httpx.Client, *, change: str, name: str, parameters: dict[str, Any], status: int, message: str
) -> None:
    answer = _change(unchanged, change, name, **parameters)
    assert (answer.status_code, message in answer.json()["error"]) == (status, True), answer.text


def test_long_documents_leave_room_for_others(unchanged: httpx.Client) -> None:
    padded = b"{%b}" % (b" " * 60_000)
    answers = [unchanged.post(f"{REPOSITORY}/index", content=padded).status_code for _ in range(20)]
    assert set(answers) == {200}, "together they are longer than the requests in flight may be"


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("models/mnist/unload", '{"version":"9"}', "the body at version: Extra inputs are not permitted"),
        ("models/mnist/unload", '{"paramters":{"version":"9"}}', "the body at paramters"),
        ("models/mnist/unload", '{"parameters":{"version":"9"},"parameters":{}}', "'parameters' is given twice"),
        ("index", '{"redy":true}', "the body at redy"),
        ("index", '{"ready":true,"ready":false}', "'ready' is given twice"),
    ],
)
def test_a_member_that_would_be_ignored_is_refused(unchanged: httpx.Client, path: str, body: str, message: str) -> None:
    answer = unchanged.post(f"{REPOSITORY}/{path}", content=body)
    assert (answer.status_code, message in answer.json()["error"]) == (400, True), answer.text
    assert unchanged.get("/v2/models/mnist/ready").status_code == 200


def test_it_is_off_where_it_is_not_set(client: httpx.Client) -> None:
    answer = _change(client, "unload", "mnist")
    assert answer.status_code == 403
    assert client.get("/v2/models/mnist/ready").status_code == 200


class TestUnderLoad:
    """Requests with more pictures than one batch are sent all the time while their model changes."""

    @pytest.fixture
    def rows(self, samples: dict[str, list[Path]], controlled: httpx.Client) -> NDArray[np.float64]:
        return _rows(controlled.post("/models/mnist/predict", files=_parts(samples["mnist"])).json())

    async def test_reloads_lose_no_request_and_mix_no_versions(
        self, controlled: httpx.Client, models: Path, samples: dict[str, list[Path]], rows: NDArray[np.float64]
    ) -> None:
        publish(models, "mnist", "2", reversed_model("mnist", "2"))
        expected = {"1": np.tile(rows, (4, 1)), "2": np.tile(rows[:, ::-1], (4, 1))}
        parts = _parts(samples["mnist"] * 4)
        load = Load(controlled, parts, clients=4)
        async with load, _as_async(controlled) as http:
            for change, version in itertools.product(("load", "unload"), ("2", "1", "2")):
                await load.more(8)
                # Version 1 is never unloaded: one of the two always answers.
                verb = "load" if version == "1" else change
                path = f"{REPOSITORY}/models/mnist/{verb}"
                changed = await http.post(path, json={"parameters": {"version": version}})
                assert changed.status_code == 200, changed.text
                if verb == "unload":
                    await load.more(8)
                    await http.post(path.replace("unload", "load"), json={"parameters": {"version": "2"}})
            await load.more(8)
        answers = load.answers
        assert {answer.status_code for answer in answers} == {200}
        assert {answer.json()["version"] for answer in answers} == {"1", "2"}
        for answer in answers:
            document = answer.json()
            np.testing.assert_allclose(_rows(document), expected[document["version"]], atol=1e-6)


class TestWatchedFolder:
    @pytest.fixture
    def watched(self, models: Path, tmp_path: Path) -> Iterator[httpx.Client]:
        flags = ("--models-dir", str(models), "--watch-interval-s", "0.1")
        with ServerProcess(tmp_path / "log", *flags) as process, httpx.Client(base_url=process.url) as http:
            yield http

    def test_versions_come_and_go(self, watched: httpx.Client, models: Path) -> None:
        def ready() -> bool:
            return watched.get("/v2/models/mnist/versions/2/ready").status_code == 200

        publish(models, "mnist", "2", wrong_model("mnist", "2"))
        until(lambda: "golden" in watched.post(f"{REPOSITORY}/index").json()[-1]["reason"])
        publish(models, "mnist", "2", reversed_model("mnist", "2"))
        until(ready)
        (models / "mnist" / "2" / "model.onnx").unlink()
        until(lambda: not ready())
        assert watched.get("/v2/models/mnist/versions/1/ready").status_code == 200


class Load:
    """Several clients that send requests without a pause.

    Args:
        like: a client of the server.
        parts: of the form that they send.
        clients: the number of clients.
    """

    def __init__(self, like: httpx.Client, parts: list[Part], *, clients: int) -> None:
        self.answers: list[httpx.Response] = []
        self._like, self._parts, self._clients = like, parts, clients
        self._enough = False
        self._answered = asyncio.Condition()
        self._group = asyncio.TaskGroup()

    async def more(self, count: int) -> None:
        """Waits for this number of further answers."""
        wanted = len(self.answers) + count
        async with self._answered:
            await self._answered.wait_for(lambda: len(self.answers) >= wanted)

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        for _ in range(self._clients):
            self._group.create_task(self._ask())
        return self

    async def __aexit__(self, *error: Any) -> None:
        self._enough = True
        await self._group.__aexit__(*error)

    async def _ask(self) -> None:
        async with _as_async(self._like) as http:
            while not self._enough:
                answer = await http.post("/models/mnist/predict", files=self._parts)
                async with self._answered:
                    self.answers.append(answer)
                    self._answered.notify_all()


def _as_async(client: httpx.Client) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=client.base_url, headers=client.headers, timeout=30)


def _parts(paths: list[Path]) -> list[Part]:
    return [("file", (path.name, path.read_bytes())) for path in paths]


def _rows(document: dict[str, Any]) -> NDArray[np.float64]:
    return np.array([list(entry["probabilities"].values()) for entry in document["predictions"]])
