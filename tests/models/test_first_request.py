"""A version that is not the default is opened at its first request, and answers like one opened at the start."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest
import tritonclient.grpc

from bench.server_process import ServerProcess
from service.errors import UnavailableError
from service.inference import KnownModels, ModelFile, ModelRepository
from service.inference.repository import LoadedModel
from service.models.catalog import ModelCatalog
from service.models.model_loader import ModelLoader
from tests.fixtures.tiny_models import put, tiny_model
from tests.grpc_address import grpc_address_of
from tests.inference.test_trial import repository
from tests.models.loading import make_loader


@pytest.fixture
def models(tmp_path: Path) -> Path:
    root = tmp_path / "models"
    for version in ("1", "2", "3"):
        put(root, "tiny", version, tiny_model("tiny", version))
    return root


@asynccontextmanager
async def loaded(models: ModelRepository) -> AsyncIterator[tuple[ModelLoader, ModelCatalog]]:
    loader, catalog = make_loader(models)
    await loader.load_all()
    yield loader, catalog
    await loader.close()


def open_versions(catalog: ModelCatalog) -> list[str]:
    return [model.metadata.version for model in catalog if model.engine is not None]


async def test_the_start_opens_default_versions_only(models: Path, tmp_path: Path) -> None:
    (models / "tiny" / "default_version").write_text("2")
    put(models, "other", "1", tiny_model("other", "1"))
    async with loaded(repository(models, KnownModels(tmp_path / "known"))) as (loader, catalog):
        assert open_versions(catalog) == ["1", "2"]  # one of `other` and one of `tiny`
        assert [entry.ready for entry in await loader.index()] == [True] * 4


async def test_the_start_opens_the_newest_version_that_is_not_refused(models: Path, tmp_path: Path) -> None:
    put(models, "tiny", "4", b"damaged")
    async with loaded(repository(models, KnownModels(tmp_path / "known"))) as (_, catalog):
        assert catalog.find("tiny").metadata.version == "3"
        assert open_versions(catalog) == ["3"]


async def test_a_file_that_could_not_be_tried_is_opened_at_the_start(models: Path) -> None:
    async with loaded(repository(models, None)) as (_, catalog):
        assert open_versions(catalog) == ["1", "2", "3"]


async def test_all_who_ask_at_once_get_the_same_engine(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    really_open = ModelRepository.open

    def counted(repository: ModelRepository, file: ModelFile) -> LoadedModel:
        opened.append(file.version)
        return really_open(repository, file)

    monkeypatch.setattr(ModelRepository, "open", counted)
    async with loaded(repository(models, KnownModels(tmp_path / "known"))) as (loader, catalog):
        model = catalog.find("tiny", "1")
        given_up = asyncio.create_task(loader.open_engine(model))
        await asyncio.sleep(0)
        given_up.cancel()
        first, second = await asyncio.gather(loader.open_engine(model), loader.open_engine(model))
        assert first is second is model.engine
        assert opened == ["3", "1"]


async def test_one_that_was_withdrawn_or_changed_meanwhile_gives_no_answer(models: Path, tmp_path: Path) -> None:
    async with loaded(repository(models, KnownModels(tmp_path / "known"))) as (loader, catalog):
        withdrawn, changed = catalog.find("tiny", "1"), catalog.find("tiny", "2")
        await loader.unload("tiny", "1")
        with pytest.raises(UnavailableError, match="version 1 of model tiny has changed meanwhile"):
            await loader.open_engine(withdrawn)
        another = tiny_model("tiny", "2", props={"commit": '"another"'})
        (models / "tiny" / "2" / "model.onnx").write_bytes(another)
        with pytest.raises(UnavailableError, match="version 2 of model tiny has changed meanwhile"):
            await loader.open_engine(changed)
        assert changed.engine is None
        assert catalog.find("tiny", "2").engine is not None  # the current file is open


async def test_one_that_cannot_be_opened_is_named_and_tried_again(models: Path, tmp_path: Path) -> None:
    async with loaded(repository(models, KnownModels(tmp_path / "known"))) as (loader, catalog):
        path = models / "tiny" / "1" / "model.onnx"
        path.rename(tmp_path / "away")
        with pytest.raises(UnavailableError, match="version 1 of model tiny cannot be loaded now: "):
            await loader.open_engine(catalog.find("tiny", "1"))
        assert [model.metadata.version for model in catalog] == ["1", "2", "3"]
        (tmp_path / "away").rename(path)
        assert [entry.ready for entry in await loader.index()] == [False, True, True]
        await loader.open_engine(catalog.find("tiny", "1"))
        assert [entry.ready for entry in await loader.index()] == [True] * 3


async def test_one_for_which_no_thread_can_be_started_is_not_ready_and_tried_again(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async with loaded(repository(models, KnownModels(tmp_path / "known"))) as (loader, catalog):
        model = catalog.find("tiny", "1")
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", fail)
            with pytest.raises(UnavailableError, match="cannot be loaded now: no thread can be started"):
                await loader.open_engine(model)
        assert not loader.is_ready(model)
        assert loader.may_pass(("tiny", "1"))
        assert await loader.open_engine(model) is model.engine
        assert loader.is_ready(model)


async def test_what_becomes_the_default_is_opened_before(models: Path, tmp_path: Path) -> None:
    async with loaded(repository(models, KnownModels(tmp_path / "known"))) as (loader, catalog):
        (models / "tiny" / "default_version").write_text("1")
        await loader.take_versions(await loader.survey())
        assert catalog.find("tiny").metadata.version == "1"
        assert open_versions(catalog) == ["1", "3"]
        (models / "tiny" / "default_version").unlink()
        await loader.take_versions(await loader.survey())
        await loader.unload("tiny", "3")
        assert catalog.find("tiny").metadata.version == "2"
        assert open_versions(catalog) == ["1", "2"]


async def test_nothing_is_opened_in_the_place_of_a_pinned_version(models: Path, tmp_path: Path) -> None:
    (models / "tiny" / "default_version").write_text("1")
    async with loaded(repository(models, KnownModels(tmp_path / "known"))) as (loader, catalog):
        await loader.unload("tiny", "1")
        assert catalog.default_version("tiny") is None
        assert open_versions(catalog) == []


async def test_of_changed_files_only_those_of_open_versions_are_opened(models: Path, tmp_path: Path) -> None:
    async with loaded(repository(models, KnownModels(tmp_path / "known"))) as (loader, catalog):
        await loader.open_engine(catalog.find("tiny", "2"))
        before = list(catalog)
        for version in ("1", "2", "3"):
            await loader.load("tiny", version, opens_others=False)
        assert not {*before} & {*catalog}
        assert open_versions(catalog) == ["2", "3"]
        await loader.load("tiny", "1")
        assert open_versions(catalog) == ["1", "2", "3"]


async def test_a_version_that_becomes_the_default_is_opened_before_although_a_newer_file_is_refused(
    models: Path, tmp_path: Path
) -> None:
    async with loaded(repository(models, KnownModels(tmp_path / "known"))) as (loader, catalog):
        put(models, "tiny", "4", tiny_model("tiny", "4"))
        put(models, "tiny", "5", b"damaged")
        await loader.load("tiny", "4", opens_others=False)
        assert catalog.find("tiny").metadata.version == "4"
        assert open_versions(catalog) == ["3", "4"]


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    log = tmp_path_factory.mktemp("first") / "log"
    with ServerProcess(log) as process, httpx.Client(base_url=process.url, timeout=60) as client:
        yield client


@pytest.fixture
def cat(samples: dict[str, list[Path]]) -> bytes:
    return samples["cifar10"][0].read_bytes()


def versions(http: httpx.Client) -> dict[str, bool]:
    return {one["version"]: one["loaded"] for one in http.get("/models/cifar10").json()["versions"]}


def test_the_first_requests_wait_and_are_answered(http: httpx.Client, cat: bytes) -> None:
    before = versions(http)
    assert before["2"]
    assert not before["1"]
    answers: list[httpx.Response] = []
    threads = [
        threading.Thread(target=lambda: answers.append(http.post("/predict?version=1", content=cat))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} == {200}
    rows = np.array([list(answer.json()["predictions"][0]["probabilities"].values()) for answer in answers])
    np.testing.assert_allclose(rows, rows[:1].repeat(8, axis=0), atol=1e-6)
    assert versions(http)["1"]


def test_a_time_limit_holds_while_it_is_loaded(http: httpx.Client, cat: bytes) -> None:
    assert not versions(http)["3"]
    hasty = http.post("/predict?version=3", content=cat, headers={"X-Request-Timeout-Ms": "5"})
    assert hasty.status_code == 504
    assert "before version 3 of model cifar10 was loaded" in hasty.json()["detail"]
    assert http.post("/explain?version=3", content=cat).status_code == 200
    assert http.post("/predict?version=3", content=cat).status_code == 200


@pytest.mark.slow
def test_one_that_could_not_be_opened_is_not_ready(models: Path, tmp_path: Path, cat: bytes) -> None:
    env = {"CONVOY_KNOWN_MODELS_DIR": str(tmp_path / "known"), "CONVOY_MODELS_DIR": str(models)}
    flags = ("--grpc-port", "0", "--log-format", "text", "--dialects", "tfserving")
    with (
        ServerProcess(tmp_path / "log", *flags, env=env) as process,
        httpx.Client(base_url=process.url) as client,
        tritonclient.grpc.InferenceServerClient(grpc_address_of(process)) as triton,
    ):

        def ready(version: str) -> list[bool]:
            answer = client.get(f"/v2/models/tiny/versions/{version}/ready")
            assert answer.is_success == answer.json()["ready"]
            listed = client.get("/health/ready").json()["models"]
            status = client.get(f"/v1/models/tiny/versions/{version}")
            assert status.is_success == status.json()["ready"]
            states = [one["state"] for one in status.json()["model_version_status"]]
            return [
                answer.json()["ready"],
                f"tiny/{version}" in listed,
                triton.is_model_ready("tiny", version),
                states == ["AVAILABLE"],
            ]

        assert ready("1") == [True] * 4
        (models / "tiny" / "1" / "model.onnx").unlink()
        assert client.post("/predict?version=1", content=cat).status_code == 503
        assert ready("1") == [False] * 4
        assert ready("2") == ready("3") == [True] * 4
        status = client.get("/v1/models/tiny")
        assert (status.status_code, status.json()["ready"]) == (200, True)  # as its default version is
        assert [one["state"] for one in status.json()["model_version_status"]] == ["AVAILABLE", "AVAILABLE", "END"]
        assert status.json()["model_version_status"][2]["status"]["error_code"] == "UNAVAILABLE"
