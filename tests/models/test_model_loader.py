"""What the loader knows of versions that are not served."""

import asyncio
import shutil
import threading
from pathlib import Path

import pytest

from service.errors import OverloadedError, UnavailableError
from service.inference import KnownModels, Survey
from service.models import missing_files
from service.models.model_loader import ModelLoader
from tests.decoding.test_decode_memory import no_new_thread
from tests.fixtures.tiny_models import put, tiny_model
from tests.inference.test_trial import repository
from tests.models.loading import make_loader

pytestmark = pytest.mark.slow


async def index(loader: ModelLoader) -> dict[str, str]:
    """The reason of each version of the model tiny; empty where it answers."""
    return {entry.version: entry.reason for entry in await loader.index() if entry.name == "tiny"}


async def test_an_unloaded_version_is_named_so_also_after_its_volume_was_away(tmp_path: Path) -> None:
    root = tmp_path / "models"
    for version in ("1", "2"):
        put(root, "tiny", version, tiny_model("tiny", version))
    loader, _ = make_loader(repository(root, None))
    await loader.load_all()
    await loader.unload("tiny", "1")
    for _ in range(2):
        root.rename(tmp_path / "away")
        assert await index(loader) == {"1": "unloaded", "2": ""}
        root.mkdir()  # a mount point without its volume
        assert await index(loader) == {"2": ""}
        root.rmdir()
        (tmp_path / "away").rename(root)
        assert await index(loader) == {"1": "unloaded", "2": ""}
    await loader.close()


async def test_a_version_that_is_loaded_while_the_repository_is_listed_is_ready(tmp_path: Path) -> None:
    put(tmp_path, "tiny", "1", tiny_model())
    files = repository(tmp_path, None)
    loader, _ = make_loader(files)
    await loader.load_all()
    put(tmp_path, "tiny", "2", tiny_model("tiny", "2"))
    survey, is_listed, may_end = files.survey, asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def survey_slowly() -> Survey:
        found = survey()
        loop.call_soon_threadsafe(is_listed.set)
        may_end.wait(20)
        return found

    files.survey = survey_slowly  # type: ignore[method-assign]
    listing = asyncio.create_task(index(loader))
    await is_listed.wait()
    files.survey = survey  # type: ignore[method-assign]
    await loader.load("tiny", "2")
    may_end.set()
    assert await listing == {"1": "", "2": ""}
    await loader.close()


async def test_a_served_version_that_cannot_be_opened_is_not_ready_while_its_file_is_away(tmp_path: Path) -> None:
    root = tmp_path / "models"
    for version in ("1", "2"):
        put(root, "tiny", version, tiny_model("tiny", version))
    loader, catalog = make_loader(repository(root, KnownModels(tmp_path / "known")))
    await loader.load_all()
    shutil.rmtree(root / "tiny" / "1")
    with pytest.raises(UnavailableError):
        await loader.open_engine(catalog.find("tiny", "1"))
    await loader.survey()
    assert not loader.is_ready(catalog.find("tiny", "1"))
    await loader.close()


async def test_what_is_known_is_listed_where_no_thread_can_be_started(tmp_path: Path) -> None:
    put(tmp_path, "tiny", "1", tiny_model())
    put(tmp_path, "tiny", "2", b"damaged")
    loader, _ = make_loader(repository(tmp_path, None))
    await loader.load_all()
    before = await index(loader)
    with no_new_thread():
        assert await index(loader) == before
        with pytest.raises(OverloadedError, match="no thread can be started"):
            await loader.load("tiny")
    await loader.close()


async def test_files_that_are_gone_for_some_time_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for version in ("1", "2"):
        put(tmp_path, "tiny", version, tiny_model("tiny", version))
    put(tmp_path, "tiny", "3", b"damaged")
    loader, _ = make_loader(repository(tmp_path, None))
    await loader.load_all()
    await loader.unload("tiny", "2")
    await loader._publisher.release()
    assert set(loader._publisher._metrics._models) == {("tiny", "1")}
    assert (loader._unloaded, loader._failures.keys()) == ({("tiny", "2")}, {("tiny", "3")})
    for version in ("2", "3"):
        shutil.rmtree(tmp_path / "tiny" / version)
    await loader.survey()
    assert (loader._unloaded, loader._failures.keys()) == ({("tiny", "2")}, {("tiny", "3")})
    monkeypatch.setattr(missing_files, "GONE_AFTER_S", 0.0)
    await loader.survey()
    assert (loader._unloaded, loader._failures.keys()) == (set(), set())
    await loader.close()
