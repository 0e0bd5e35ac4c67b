"""Conversion to float16 and int8: the new model is measured, has its own name, and is accepted by the service."""

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import onnx
import pytest
from onnx import helper

import training.convert
from service.inference import GpuPolicy, ModelRepository, Provider
from training.convert import Precision, convert
from training.data import sources
from training.data.dataset import DataSet
from training.onnx_classifier import OnnxClassifier

MODEL = Path(__file__).parents[2] / "models" / "mnist" / "1" / "model.onnx"


@pytest.mark.parametrize(("precision", "smaller_than"), [("float16", 0.55), ("int8", 0.35)])
def test_fewer_bits_are_measured_and_serve_under_a_name_of_their_own(
    precision: Precision, smaller_than: float, mnist_data: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "load_for", lambda *_: mnist_data)
    made = convert(MODEL, precision, None, tmp_path)
    folder = tmp_path / f"mnist-{precision}" / "1"
    assert (folder / "model.onnx").stat().st_size < smaller_than * MODEL.stat().st_size
    assert made.same_class >= 0.98
    figures = json.loads((folder / "metrics.json").read_text())
    assert figures["test"]["accuracy"] == made.metadata.evaluation.accuracy
    assert made.metadata.training["converted_from"] == "mnist version 1"
    assert f"converted to {precision}" in (folder / "MODEL_CARD.md").read_text()

    gpu = GpuPolicy(memory_limit_bytes=1 << 30, cuda_graphs=True)
    repository = ModelRepository(tmp_path, provider=Provider("cpu"), intra_op_threads=1, max_batch_size=None, gpu=gpu)
    loaded = repository.load(f"mnist-{precision}", "1")  # its golden images are checked here
    assert loaded.metadata.training["precision"] == precision


def test_probabilities_in_int8_are_not_rounded_to_256_steps(
    mnist_data: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "load_for", lambda *_: mnist_data)
    probabilities = convert(MODEL, "int8", None, tmp_path).after.probabilities
    assert len(np.unique(probabilities)) > 0.9 * probabilities.size


_MEAN = [helper.make_node("Concat", ["classes", "classes"], ["twice"], axis=1)]
_MEAN.append(helper.make_node("Reshape", ["twice", "pairs"], ["paired"]))
_MEAN.append(helper.make_node("ReduceMean", ["paired", "axis"], ["probabilities"], keepdims=0))
_SUM = [helper.make_node("MatMul", ["classes", "same"], ["probabilities"])]
_TEMPERED = [
    helper.make_node("MatMul", ["classes", "same"], ["sum"]),
    helper.make_node("Log", ["sum"], ["logits of it"]),
]
_TEMPERED.append(helper.make_node("Softmax", ["logits of it"], ["probabilities"], axis=1))


@pytest.mark.parametrize("tail", [_MEAN, _SUM, _TEMPERED], ids=["mean", "sum", "tempered"])
def test_probabilities_in_int8_are_not_rounded_before_they_are_added_up(
    tail: list[onnx.NodeProto], mnist_data: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "load_for", lambda *_: mnist_data)
    model = onnx.load(MODEL)
    for node in model.graph.node:
        node.output[:] = ["classes" if name == "probabilities" else name for name in node.output]
    model.graph.node.extend(tail)
    constants = {"same": np.eye(10, dtype=np.float32), "pairs": np.array([-1, 2, 10]), "axis": np.array([1])}
    model.graph.initializer.extend(onnx.numpy_helper.from_array(value, name) for name, value in constants.items())
    onnx.save(model, tmp_path / "added.onnx")
    probabilities = convert(tmp_path / "added.onnx", "int8", None, tmp_path).after.probabilities
    assert len(np.unique(probabilities)) > 0.9 * probabilities.size


def test_only_the_last_layer_stays_in_float32_if_nodes_have_no_names(
    mnist_data: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "load_for", lambda *_: mnist_data)
    model = onnx.load(MODEL)
    for node in model.graph.node:
        node.ClearField("name")
    onnx.save(model, tmp_path / "nameless.onnx")
    convert(tmp_path / "nameless.onnx", "int8", None, tmp_path)
    tensors = onnx.load(tmp_path / "mnist-int8" / "1" / "model.onnx").graph.initializer
    in_float32 = [tensor for tensor in tensors if tensor.data_type == onnx.TensorProto.FLOAT]
    assert [tuple(tensor.dims) for tensor in in_float32 if len(tensor.dims) > 1] == [(256, 10)]


def test_a_version_that_another_process_publishes_meanwhile_is_kept(
    mnist_data: DataSet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    another_publishes_first: Callable[[ModuleType], None],
) -> None:
    monkeypatch.setattr(sources, "load_for", lambda *_: mnist_data)
    another_publishes_first(training.convert)
    made = convert(MODEL, "float16", None, tmp_path)
    assert (tmp_path / "mnist-float16" / "1" / "model.onnx").read_text() == "of another process"
    written = OnnxClassifier.open(tmp_path / "mnist-float16" / "2" / "model.onnx").metadata
    assert written.version == made.metadata.version == "2"
