"""Model files that may serve, and those that may not."""

import dataclasses
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import psutil
import pytest

from contract import ModelMetadata
from service.errors import ModelNotFoundError, ModelRefusedError
from service.inference import GpuPolicy, ModelRepository, Provider, session
from tests.process import ROOT

Change = Callable[[onnx.ModelProto], None]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "models" / "mnist" / "1", tmp_path / "mnist" / "1")
    return tmp_path


def repository(root: Path) -> ModelRepository:
    gpu = GpuPolicy(memory_limit_bytes=1 << 30, cuda_graphs=True)
    return ModelRepository(root, provider=Provider("cpu"), intra_op_threads=1, max_batch_size=2, gpu=gpu)


def rewrite(root: Path, change: Change) -> None:
    path = root / "mnist" / "1" / "model.onnx"
    model = onnx.load(path)
    change(model)
    onnx.save(model, path)


def metadata(**changes: object) -> Change:
    def change(model: onnx.ModelProto) -> None:
        said = ModelMetadata.from_props({prop.key: prop.value for prop in model.metadata_props})
        onnx.helper.set_model_props(model, dataclasses.replace(said, **changes).to_props())  # type: ignore[arg-type]

    return change


def test_a_good_model_is_loaded_and_answers(root: Path) -> None:
    loaded = repository(root).load("mnist", "1")
    assert loaded.metadata.labels == tuple("0123456789")
    assert loaded.session.provider == "cpu"
    assert loaded.seconds_per_image > 0
    rows = loaded.session.run(np.zeros((3, 28, 28, 1), np.uint8))
    assert rows.shape == (3, 10)
    assert rows.sum(axis=1) == pytest.approx([1, 1, 1], abs=1e-5)


def test_versions_are_found_in_the_order_of_their_numbers(root: Path) -> None:
    for version in ("2", "10"):
        shutil.copytree(root / "mnist" / "1", root / "mnist" / version)
    (root / "mnist" / "notes").mkdir()
    assert list(repository(root).survey().files) == [("mnist", "1"), ("mnist", "2"), ("mnist", "10")]


def remove_property(model: onnx.ModelProto) -> None:
    kept = [prop for prop in model.metadata_props if prop.key != "convoy.labels"]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)


def fix_the_batch(model: onnx.ModelProto) -> None:
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 1


def rename_the_input(model: onnx.ModelProto) -> None:
    old = model.graph.input[0].name
    model.graph.input[0].name = "pixels"
    for node in model.graph.node:
        for place, name in enumerate(node.input):
            if name == old:
                node.input[place] = "pixels"


def spoil_a_weight(model: onnx.ModelProto) -> None:
    weights = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    values = -np.frombuffer(weights.raw_data, np.float32)
    weights.raw_data = values.tobytes()


def point_outside(model: onnx.ModelProto) -> None:
    weights = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    weights.ClearField("raw_data")
    weights.data_location = onnx.TensorProto.EXTERNAL
    entry = weights.external_data.add()
    entry.key, entry.value = "location", "../../../../../../etc/passwd"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (remove_property, "convoy.labels is missing"),
        (metadata(labels=tuple("abcdefghijk")), "reference.predicted_classes: a list of 11 items is needed"),
        (metadata(version="7"), "says that it is mnist version 7"),
        (metadata(name="digits"), "says that it is digits version 1"),
        (fix_the_batch, "fixed batch size of 1"),
        (rename_the_input, "its metadata needs image"),
        (spoil_a_weight, "golden image"),
        (point_outside, "cannot load it"),
        (lambda model: model.opset_import[0].__setattr__("version", 9999), "cannot load it"),
    ],
    ids=["no labels", "labels", "version", "name", "fixed batch", "input name", "weights", "external data", "opset"],
)
def test_a_model_that_is_not_what_it_says_is_refused_by_name(
    root: Path, request: pytest.FixtureRequest, change: Change, said: str
) -> None:
    if request.node.callspec.id == "labels":
        with pytest.raises(ValueError, match=said):  # the contract refuses to write it
            rewrite(root, change)
        return
    rewrite(root, change)
    with pytest.raises(ModelRefusedError, match=said) as refusal:
        repository(root).load("mnist", "1")
    assert "mnist/1/model.onnx" in str(refusal.value)


class TestLargeFile:
    """Large files, which ONNX Runtime loads by a path in memory; here each file counts as large."""

    @pytest.fixture(autouse=True)
    def is_large(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(session, "_COPIED_BYTES", 0)

    def test_answers_as_any_other(self, root: Path) -> None:
        assert repository(root).load("mnist", "1").session.metadata.name == "mnist"  # golden images were checked

    @pytest.mark.parametrize("location", ["../../../../../../etc/passwd", "0"])
    def test_reads_nothing_outside(self, root: Path, location: str) -> None:
        def point(model: onnx.ModelProto) -> None:
            point_outside(model)
            for weights in model.graph.initializer:
                for entry in weights.external_data:
                    entry.value = location

        rewrite(root, point)
        with pytest.raises(ModelRefusedError, match="cannot load it"):
            repository(root).load("mnist", "1")

    def test_leaves_no_file_open(self, root: Path) -> None:
        before = psutil.Process().num_fds()
        repository(root).load("mnist", "1")
        assert psutil.Process().num_fds() == before


@pytest.mark.parametrize("keep", [0, 100, 50_000])
def test_a_truncated_file_is_refused(root: Path, keep: int) -> None:
    os.truncate(root / "mnist" / "1" / "model.onnx", keep)
    with pytest.raises(ModelRefusedError, match=r"mnist/1/model\.onnx"):
        repository(root).load("mnist", "1")


def test_a_missing_file_is_not_found(root: Path) -> None:
    with pytest.raises(ModelNotFoundError, match=r"mnist/3/model\.onnx"):
        repository(root).load("mnist", "3")
