"""Loads that go on after the start do not undo later changes of their model."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from service.errors import ModelNotFoundError
from service.inference import ModelFile
from service.models.catalog import ModelCatalog
from service.models.model_loader import ModelLoader
from tests.fixtures.tiny_models import put, tiny_model
from tests.inference.test_trial import repository
from tests.models.loading import make_loader

pytestmark = pytest.mark.slow

SLOW = ("tiny", "2")


@asynccontextmanager
async def started(root: Path) -> AsyncIterator[tuple[ModelLoader, ModelCatalog, threading.Event]]:
    """A loader that has started while one file is read slowly, until the event is set."""
    put(root, "other", "1", tiny_model("other"))
    put(root, *SLOW, tiny_model(*SLOW))
    files = repository(root, None)
    examine, has_begun, may_end, has_ended = files.examine, threading.Event(), threading.Event(), threading.Event()

    def examine_slowly(name: str, version: str) -> ModelFile:
        file = examine(name, version)
        if (name, version) == SLOW and not has_begun.is_set():
            has_begun.set()
            may_end.wait(20)
            has_ended.set()
        return file

    files.examine = examine_slowly  # type: ignore[method-assign]
    loader, catalog = make_loader(files, start_patience_s=0.1)
    await loader.load_all()
    try:
        yield loader, catalog, may_end
    finally:
        may_end.set()
        await asyncio.to_thread(has_ended.wait)
        await loader.close()


async def end_slow_load(loader: ModelLoader, may_end: threading.Event) -> None:
    tasks = set(loader._pending._tasks.values()) | asyncio.all_tasks() - {asyncio.current_task()}
    may_end.set()
    if tasks:
        await asyncio.wait(tasks)


async def test_a_slow_load_of_the_start_is_served_when_it_ends(tmp_path: Path) -> None:
    async with started(tmp_path) as (loader, catalog, may_end):
        assert [entry.reason for entry in await loader.index()] == ["", "being loaded"]
        await end_slow_load(loader, may_end)
        assert catalog.find(*SLOW).metadata.version == "2"


async def test_a_file_that_is_loaded_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    async with started(tmp_path) as (loader, catalog, may_end):
        (tmp_path / "tiny" / "2" / "model.onnx").write_bytes(tiny_model(*SLOW, props={"commit": '"newer"'}))
        await loader.load("tiny")
        await end_slow_load(loader, may_end)
        assert catalog.find(*SLOW).metadata.commit == "newer"


@pytest.mark.parametrize("version", [None, "2"])
async def test_a_version_that_is_unloaded_meanwhile_is_not_served(version: str | None, tmp_path: Path) -> None:
    async with started(tmp_path) as (loader, catalog, may_end):
        put(tmp_path, "tiny", "1", tiny_model())
        await loader.load("tiny", "1")
        assert "2" in await loader.unload("tiny", version)
        await end_slow_load(loader, may_end)
        with pytest.raises(ModelNotFoundError):
            catalog.find(*SLOW)


async def test_a_model_of_which_nothing_is_served_can_be_unloaded_while_it_is_loaded(tmp_path: Path) -> None:
    async with started(tmp_path) as (loader, _catalog, _may_end):
        assert await loader.unload("tiny") == ["2"]
        with pytest.raises(ModelNotFoundError, match="no model 'tiny' is served"):
            await loader.unload("tiny")


async def test_a_model_whose_load_has_just_ended_is_withdrawn(tmp_path: Path) -> None:
    async with started(tmp_path) as (loader, catalog, may_end):
        unloads: list[asyncio.Task[list[str]]] = []

        def unload_at_once() -> None:  # runs when the load's task has ended, before its callbacks do
            if SLOW in loader.served() and not unloads:
                unloads.append(asyncio.create_task(loader.unload("tiny")))

        catalog.subscribe(unload_at_once)
        await end_slow_load(loader, may_end)
        assert await unloads[0] == ["2"]
        assert SLOW not in loader.served()


@pytest.mark.parametrize("change", ["load", "unload"])
async def test_a_load_goes_on_where_the_change_that_took_its_place_is_cancelled(
    change: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with started(tmp_path) as (loader, catalog, may_end):
        changes = asyncio.Event()

        async def wait(*_: object, **__: object) -> None:
            changes.set()
            await asyncio.Event().wait()

        with monkeypatch.context() as patch:
            patch.setattr(loader, "_load_one" if change == "load" else "_open_successor", wait)
            call = asyncio.create_task(getattr(loader, change)("tiny"))
            await changes.wait()
            assert SLOW not in loader._pending
            call.cancel()  # as gRPC does at the deadline of the client
            await asyncio.wait({call})
        assert [entry.reason for entry in await loader.index()] == ["", "being loaded"]
        await end_slow_load(loader, may_end)
        assert catalog.find(*SLOW).metadata.version == "2"
