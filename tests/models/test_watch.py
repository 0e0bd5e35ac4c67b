"""The reactions of the repository watch to changed files."""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from service.errors import ModelLoadFailedError
from service.inference import ModelFile, ModelKey, Survey
from service.models.missing_files import GONE_AFTER_S
from service.models.watch import Changes, Watch
from tests.fixtures.tiny_models import put, tiny_model
from tests.inference.test_trial import repository
from tests.models.loading import make_loader
from tests.process import ServerProcess
from tests.waiting import until

pytestmark = pytest.mark.slow

NOTHING = Changes([], [])
A, B = ("a", "1"), ("b", "1")
OLD, NEW = (1, 10, 100), (1, 20, 200)


class Loader:
    """A loader that records which loads failed for a temporary reason, and which models are served."""

    def __init__(self) -> None:
        self.failed: set[ModelKey] = set()
        self.models: set[ModelKey] = {A}

    def served(self) -> set[ModelKey]:
        return self.models

    def may_pass(self, key: ModelKey) -> bool:
        return key in self.failed


@pytest.fixture
def watch() -> Watch:
    return Watch(Loader(), Survey({A: OLD, B: OLD}, {}))  # type: ignore[arg-type]


def test_a_file_is_loaded_once_it_has_looked_the_same_twice(watch: Watch) -> None:
    assert watch.changes({A: OLD, B: NEW}, 0) == NOTHING
    assert watch.changes({A: OLD, B: (1, 30, 300)}, 1) == NOTHING
    assert watch.changes({A: OLD, B: (1, 30, 300)}, 2) == Changes([B], [])


def test_a_file_that_is_away_for_a_moment_is_not_gone(watch: Watch) -> None:
    assert watch.changes({A: OLD}, 0) == NOTHING
    assert watch.changes({A: OLD}, GONE_AFTER_S / 2) == NOTHING
    assert watch.changes({A: OLD, B: OLD}, GONE_AFTER_S) == NOTHING
    assert watch.changes({A: OLD}, 10) == NOTHING
    assert watch.changes({A: OLD}, 10 + GONE_AFTER_S) == Changes([], [B])


def test_a_file_is_not_gone_after_one_look_however_late_the_next_is(watch: Watch) -> None:
    assert watch.changes({A: OLD}, 3600) == NOTHING
    assert watch.changes({A: OLD}, 7200) == Changes([], [B])


def test_a_repository_that_is_away_unloads_nothing(watch: Watch) -> None:
    for look in range(10):
        assert watch.changes({}, float(look)) == NOTHING
    assert watch.changes({A: OLD, B: OLD}, 10) == NOTHING


def test_a_model_whose_load_ends_after_its_file_was_removed_is_unloaded() -> None:
    loader = Loader()
    watch = Watch(loader, Survey({A: OLD}, {}))  # type: ignore[arg-type]
    loader.models.add(B)
    assert watch.changes({A: OLD}, 0) == NOTHING
    assert watch.changes({A: OLD}, GONE_AFTER_S) == Changes([], [B])


def test_a_model_that_is_being_loaded_is_unloaded_only_when_that_ends(watch: Watch) -> None:
    watch.changes({A: OLD}, 0)
    watch._busy.add(B)
    assert watch.changes({A: OLD}, GONE_AFTER_S) == NOTHING
    watch._busy.clear()
    assert watch.changes({A: OLD}, GONE_AFTER_S) == Changes([], [B])


def test_what_could_not_be_opened_is_tried_again_later_each_time() -> None:
    loader = Loader()
    watch = Watch(loader, Survey({A: OLD}, {}))  # type: ignore[arg-type]
    loader.failed.add(A)
    now, attempts = 0.0, []
    watch._plan_retry(A, now)
    while now < 40:
        now += 0.25
        if watch.changes({A: OLD}, now).load:
            attempts.append(now)
            watch._plan_retry(A, now)
    assert attempts == [1.0, 3.0, 7.0, 15.0, 31.0]
    loader.failed.clear()
    assert watch.changes({A: OLD}, 1000) == NOTHING


async def test_a_copy_that_ends_while_the_service_starts_is_loaded(tmp_path: Path) -> None:
    put(tmp_path, "other", "1", tiny_model("other"))
    path = put(tmp_path, "tiny", "1", tiny_model()[:100])
    loader, catalog = make_loader(repository(tmp_path, None))
    found = await loader.load_all()
    path.write_bytes(tiny_model())  # after its file was read, before the watch scans
    watch = Watch(loader, found)
    assert watch.changes((await loader.survey()).files, 0) == NOTHING
    assert watch.changes((await loader.survey()).files, 1) == Changes([("tiny", "1")], [])
    await loader.load("tiny", "1")
    assert catalog.find("tiny").metadata.version == "1"
    await loader.close()


async def test_a_file_that_could_not_be_read_is_tried_again_though_it_was_missing_in_one_look(tmp_path: Path) -> None:
    root, key = tmp_path / "models", ("tiny", "1")
    put(root, "other", "1", tiny_model("other"))
    put(root, *key, tiny_model())
    files = repository(root, None)
    examine = files.examine

    def examine_in_part(name: str, version: str) -> ModelFile:
        if name == "tiny":
            raise ModelLoadFailedError("tiny/1: Input/output error")
        return examine(name, version)

    files.examine = examine_in_part  # type: ignore[method-assign]
    loader, _ = make_loader(files)
    watch = Watch(loader, await loader.load_all())
    async with asyncio.TaskGroup() as changing:
        (root / "tiny").rename(tmp_path / "away")
        await watch._look(changing)
        (tmp_path / "away").rename(root / "tiny")
        await watch._look(changing)
    assert key in watch._retries
    assert loader.may_pass(key)
    await loader.close()


async def test_the_watch_goes_on_where_default_versions_cannot_be_taken_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    put(tmp_path, "one", "1", tiny_model("one"))
    loader, catalog = make_loader(repository(tmp_path, None))
    watch = asyncio.create_task(Watch(loader, await loader.load_all()).run(0.01))
    came = asyncio.Event()
    catalog.subscribe(came.set)

    async def fail(_found: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(loader, "take_versions", fail)

    async def load_alone(name: str, version: str, **_: bool) -> None:
        await loader._load_one(name, version)

    monkeypatch.setattr(loader, "load", load_alone)  # without taking other models over
    put(tmp_path, "two", "1", tiny_model("two"))
    await asyncio.wait_for(came.wait(), 30)
    assert catalog.find("two").metadata.version == "1"
    assert "taking over default versions and labels failed" in caplog.text
    watch.cancel()
    await loader.close()


class TestFolder:
    @pytest.fixture
    def models(self, tmp_path: Path) -> Path:
        root = tmp_path / "models"
        for name in ("one", "two"):
            put(root, name, "1", tiny_model(name))
        return root

    @pytest.fixture
    def http(self, models: Path, tmp_path: Path) -> Iterator[httpx.Client]:
        flags = ("--models-dir", str(models), "--watch-interval-s", "0.05")
        with ServerProcess(tmp_path / "log", *flags) as process, httpx.Client(base_url=process.url) as client:
            yield client

    def test_a_folder_that_comes_back_was_never_missed(self, http: httpx.Client, models: Path, tmp_path: Path) -> None:
        for place in (models, models / "two"):
            place.rename(tmp_path / "away")
            with pytest.raises(AssertionError):
                until(lambda: http.get("/models/two").status_code == 404, timeout_s=1)
            (tmp_path / "away").rename(place)
        shutil.rmtree(models / "two")
        until(lambda: http.get("/models/two").status_code == 404)
        assert http.get("/models/one").status_code == 200

    def test_the_default_version_is_that_of_its_file_from_then_on(self, http: httpx.Client, models: Path) -> None:
        put(models, "one", "2", tiny_model("one", "2"))

        def default_is(version: str | None) -> bool:
            described = http.get("/models/one").json()
            return (described["default_version"], len(described["versions"])) == (version, 2)

        until(lambda: default_is("2"))
        (models / "one" / "default_version").write_text("1\n")
        until(lambda: default_is("1"))
        assert http.get("/v2/models/one").json()["versions"] == ["1", "2"]
        (models / "one" / "default_version").write_text("9")
        until(lambda: default_is(None))
        missing = http.post("/models/one/predict", files={"file": b"x"})
        assert missing.status_code == 404
        assert "default version of model 'one', '9', is not served; name a version; it has 1, 2" in missing.text
        (models / "one" / "version_labels").write_text("stable=1")
        until(lambda: http.get("/models/one").json()["version_labels"] == {"stable": "1"})
        (models / "one" / "version_labels").write_text("stable=2")
        until(lambda: http.get("/models/one").json()["version_labels"] == {"stable": "2"})
        (models / "one" / "version_labels").unlink()
        until(lambda: http.get("/models/one").json()["version_labels"] == {})
        (models / "one" / "default_version").unlink()
        until(lambda: default_is("2"))
