"""Files of other programs in the repository: each is reported with the command that imports it; other models serve."""

import argparse
import asyncio
import logging
import shlex
from pathlib import Path

import onnx
import pytest

from service.errors import ModelRefusedError
from service.inference import KnownModels
from service.inference.foreign_files import foreign_files, import_command
from tests.fixtures.tiny_models import put, tiny_model
from tests.inference.test_trial import repository
from tests.models.loading import make_loader
from training.importing.command import add_arguments


def foreign_model() -> bytes:
    """An image classifier as another program writes it: only the graph, without metadata."""
    model = onnx.load_from_string(tiny_model())
    del model.metadata_props[:]
    content: bytes = model.SerializeToString()
    return content


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One model to serve, one foreign file in the place of a model, and three in other places."""
    root = tmp_path / "models"
    put(root, "tiny", "1", tiny_model())
    put(root, "foreign", "3", foreign_model())
    (root / "my resnet.onnx").write_bytes(foreign_model())
    (root / "tiny" / "net.keras").write_bytes(b"PK")
    (root / "tiny" / "1" / "model.keras").write_bytes(b"PK")  # belongs to the model beside it
    (root / "saved" / "1").mkdir(parents=True)
    (root / "saved" / "1" / "saved_model.pb").write_bytes(b"")
    return root


@pytest.mark.parametrize("is_tried", [True, False])
def test_a_foreign_file_in_a_models_place_is_refused_with_the_command(folder: Path, *, is_tried: bool) -> None:
    known = KnownModels(None) if is_tried else None
    with pytest.raises(ModelRefusedError, match="no metadata that says what its labels are") as refusal:
        repository(folder, known).load("foreign", "3")
    assert str(refusal.value).endswith(import_command(folder / "foreign" / "3" / "model.onnx", folder, "foreign", "3"))


def test_loose_files_are_named_once_and_the_models_serve(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    loader, catalog = make_loader(repository(folder, None))

    async def start() -> None:
        await loader.load_all()
        await loader.survey()
        await loader.close()

    with caplog.at_level(logging.WARNING):
        asyncio.run(start())
    said = [record.getMessage() for record in caplog.records if record.msg.startswith("not served: ")]
    named = [line.removeprefix("not served: ").split("; take it in")[0] for line in said]
    assert named == [str(folder / name) for name in ("my resnet.onnx", "saved/1", "tiny/net.keras")]
    assert [model.metadata.name for model in catalog] == ["tiny"]


def test_the_command_is_one_that_import_takes(folder: Path) -> None:
    words = shlex.split(import_command(folder / "my resnet.onnx", folder, "resnet", "2"))
    assert words[:2] == ["convoy", "import"]
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    options = parser.parse_args(words[2:])
    assert (options.name, options.version) == ("resnet", "2")
    assert (options.source, options.out) == (folder / "my resnet.onnx", folder)


def test_a_loop_of_links_hides_no_other_file(folder: Path) -> None:
    (folder / "loop.onnx").symlink_to("loop.onnx")
    assert foreign_files(folder) == [folder / "my resnet.onnx"]


def test_a_folder_that_cannot_be_read_has_none(tmp_path: Path) -> None:
    assert foreign_files(tmp_path / "gone") == []
