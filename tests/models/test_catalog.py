"""Which model and version answer a request that does not name them."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from service.errors import ModelNotFoundError
from service.models.catalog import ModelCatalog
from tests.fixtures.tiny_models import put, tiny_model
from tests.inference.test_trial import repository
from tests.models.loading import make_loader
from tests.process import ROOT


async def catalog_of(root: Path, *models: tuple[str, str], default_name: str | None = None) -> ModelCatalog:
    for name, version in models:
        put(root, name, version, tiny_model(name, version))
    loader, catalog = make_loader(repository(root, None), default_name)
    await loader.load_all()
    return catalog


async def test_one_model_is_its_own_default(tmp_path: Path) -> None:
    catalog = await catalog_of(tmp_path, ("one", "1"), ("one", "10"), ("one", "9"))
    assert catalog.find().metadata.version == "10"
    assert catalog.find(None, "9").metadata.version == "9"


async def test_of_several_cifar10_is_the_default(tmp_path: Path) -> None:
    catalog = await catalog_of(tmp_path, ("another", "1"), ("cifar10", "1"))
    assert catalog.find().metadata.name == "cifar10"


async def test_without_a_default_the_message_names_the_models(tmp_path: Path) -> None:
    catalog = await catalog_of(tmp_path, ("another", "1"), ("one", "1"))
    for version in (None, "1"):
        with pytest.raises(ModelNotFoundError, match=r"no model is named.*default_model.*served: another, one"):
            catalog.find(None, version)
    assert catalog.find("one").metadata.name == "one"


@pytest.mark.parametrize(
    ("names", "kept"), [(("another", "cifar10"), "cifar10"), (("another",), "another")], ids=["cifar10", "the only one"]
)
async def test_the_default_stays_the_same_when_models_come_and_go(
    names: tuple[str, ...], kept: str, tmp_path: Path
) -> None:
    for name in names:
        put(tmp_path, name, "1", tiny_model(name))
    loader, catalog = make_loader(repository(tmp_path, None), alias="pictures")
    await loader.load_all()
    put(tmp_path, "late", "1", tiny_model("late"))
    await loader.load("late")
    assert catalog.find().metadata.name == catalog.find("pictures").metadata.name == kept
    await loader.unload(kept)
    with pytest.raises(ModelNotFoundError, match=f"no model is named, and the default, '{kept}', is not served"):
        catalog.find()
    with pytest.raises(ModelNotFoundError, match=f"'pictures' is a further name .* the default, '{kept}', is not"):
        catalog.find("pictures")
    await loader.load(kept)
    assert catalog.find().metadata.name == kept
    await loader.close()


async def test_cifar10_is_no_default_if_it_comes_after_the_start(tmp_path: Path) -> None:
    put(tmp_path, "another", "1", tiny_model("another"))
    loader, catalog = make_loader(repository(tmp_path, None))
    await loader.load_all()
    put(tmp_path, "cifar10", "1", tiny_model("cifar10"))
    await loader.load("cifar10")
    assert catalog.find().metadata.name == "another"
    await loader.close()


async def test_no_other_model_is_the_default_where_that_one_is_refused_at_the_start(tmp_path: Path) -> None:
    put(tmp_path, "cifar10", "1", b"damaged")
    catalog = await catalog_of(tmp_path, ("another", "1"))
    with pytest.raises(ModelNotFoundError, match=r"the default, 'cifar10', is not served .*; served: another"):
        catalog.find()


async def test_a_folder_whose_name_no_model_can_have_does_not_count(tmp_path: Path) -> None:
    put(tmp_path, "Old Models", "1", b"")
    assert (await catalog_of(tmp_path, ("one", "1"))).find().metadata.name == "one"


async def test_a_default_that_was_asked_for_must_be_there(tmp_path: Path) -> None:
    assert (await catalog_of(tmp_path / "a", ("a", "1"), ("b", "1"), default_name="b")).find().metadata.name == "b"
    with pytest.raises(ModelNotFoundError, match="default_model is 'c', but no model 'c' is served; served: a, b"):
        await catalog_of(tmp_path / "b", ("a", "1"), ("b", "1"), default_name="c")
    with pytest.raises(ModelNotFoundError, match="default_model is 'c'"):
        await catalog_of(tmp_path / "c", ("a", "1"), default_name="c")


def test_the_start_ends_with_one_line_where_the_default_is_not_there() -> None:
    command = [sys.executable, "-m", "service", "--port", "0", "--default-model", "cat"]
    ended = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=60)
    assert ended.returncode not in {0, -9}
    assert "default_model is 'cat', but no model 'cat' is served; served: cifar10, mnist" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("said", ["1", "1\n", " 1 "])
async def test_the_default_version_is_as_its_file_says(said: str, tmp_path: Path) -> None:
    put(tmp_path, "one", "1", tiny_model("one", "1"))
    (tmp_path / "one" / "default_version").write_text(said)
    catalog = await catalog_of(tmp_path, ("one", "2"), ("two", "1"), default_name="one")
    assert catalog.find("one").metadata.version == catalog.find().metadata.version == "1"
    assert catalog.find("one", "2").metadata.version == "2"
    assert catalog.default_version("two") == "1"


@pytest.mark.parametrize("said", ["3", "newest", "", "\xff", "x" * 100])
async def test_no_version_answers_in_the_place_of_a_default_version_that_is_not_there(
    said: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    put(tmp_path, "one", "1", tiny_model("one", "1"))
    (tmp_path / "one" / "default_version").write_bytes(said.encode("latin-1"))
    catalog = await catalog_of(tmp_path, ("two", "1"))
    assert catalog.default_version("one") is None
    with pytest.raises(
        ModelNotFoundError, match=r"the default version of model 'one', .*, is not served; name a version"
    ):
        catalog.find("one")
    assert catalog.find("one", "1").metadata.version == "1"
    assert "the default version of model 'one'" in caplog.text


def test_the_committed_cifar10_is_pinned_to_version_2() -> None:
    loader, catalog = make_loader(repository(ROOT / "models", None))

    async def load() -> None:
        await loader.load_all()

    asyncio.run(load())
    assert catalog.default_version("cifar10") == "2"
    assert (ROOT / "models" / "cifar10" / "default_version").read_text().strip() == "2"
