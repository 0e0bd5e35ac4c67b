"""Inputs of ONNX graphs of other forms: grey pictures without a channel axis, a missing batch axis, a second input."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from bench.foreign_networks import write_network
from tests.training.importing.onnx_files import imported, run_import

_RULES = ("--preprocessing", "unit", "--resize", "stretch")


def write_grey(path: Path, shape: Sequence[int | str], *, unsqueezes: int | None = None) -> Path:
    """A dense layer on pictures of 12 x 10, or a convolution on what an Unsqueeze of one axis makes of them."""
    rng = np.random.default_rng(7)
    dense = rng.normal(0, 0.1, (5 if unsqueezes is not None else 120, 5)).astype(np.float32)
    tensors = {"flat": np.array([0, -1]), "dense": dense}
    nodes = [helper.make_node("Reshape", ["x", "flat"], ["features"])]
    if unsqueezes is not None:
        tensors |= {"axis": np.array([unsqueezes]), "kernel": rng.normal(0, 1, (5, 1, 3, 3)).astype(np.float32)}
        nodes = [
            helper.make_node("Unsqueeze", ["x", "axis"], ["planes"]),
            helper.make_node("Conv", ["planes", "kernel"], ["conv"]),
            helper.make_node("Tanh", ["conv"], ["tanh"]),
            helper.make_node("GlobalAveragePool", ["tanh"], ["pooled"]),
            helper.make_node("Reshape", ["pooled", "flat"], ["features"]),
        ]
    nodes.append(helper.make_node("MatMul", ["features", "dense"], ["logits"]))
    ports = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, sides)
        for name, sides in (("x", shape), ("logits", [shape[0], 5]))
    ]
    constants = [numpy_helper.from_array(value, name) for name, value in tensors.items()]
    graph = helper.make_graph(nodes, "grey", ports[:1], ports[1:], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


@pytest.mark.parametrize(
    ("shape", "unsqueezes"),
    [
        (["N", 12, 10], None),
        (["N", "H", "W"], 1),
        ([1, 12, 10], None),
        ([8, 12, 10], None),
        ([1, 12, 10], 1),
        ([1, 12, 10], 0),  # the first axis is the channel, not the batch, which is the same for one picture
    ],
    ids=str,
)
def test_grey_pictures_may_have_no_channel_axis(
    shape: list[int | str], unsqueezes: int | None, tmp_path: Path, labels: Path
) -> None:
    source = write_grey(tmp_path / "net.onnx", shape, unsqueezes=unsqueezes)
    assert run_import(source, tmp_path, "--labels", labels, *_RULES, "--size", "12x10") == 0
    images = np.random.default_rng(0).integers(0, 256, (3, 12, 10, 1), np.uint8)
    original = onnxruntime.InferenceSession(source)
    batch = shape[0] if isinstance(shape[0], int) else 1
    batches = [np.repeat(np.float32(image[None, ..., 0] / 255), batch, axis=0) for image in images]
    raw = np.concatenate([original.run(None, {"x": same})[0][:1] for same in batches])
    answered = imported(tmp_path)[0].run(None, {"image": images})[0]
    np.testing.assert_allclose(answered, np.exp(raw) / np.exp(raw).sum(1, keepdims=True), atol=1e-5)


@pytest.mark.parametrize("shape", [[3, 16, 16], [16, 16, 3], [16, 16, 1]], ids=str)
def test_a_picture_without_a_batch_axis_is_refused(
    shape: list[int], tmp_path: Path, labels: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_grey(tmp_path / "net.onnx", shape)
    assert run_import(source, tmp_path, "--labels", labels, *_RULES) == 2
    assert "one picture without a batch axis; export it with one" in capsys.readouterr().err


def test_a_sequence_is_no_picture(tmp_path: Path, labels: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kernel = numpy_helper.from_array(np.ones((5, 12, 3), np.float32), "kernel")
    nodes = [helper.make_node("Conv", ["x", "kernel"], ["y"]), helper.make_node("GlobalAveragePool", ["y"], ["p"])]
    ports = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, s) for name, s in (("x", ["N", 12, 99]), ("p", None))
    ]
    model = helper.make_model(helper.make_graph(nodes, "ecg", ports[:1], ports[1:], [kernel]), ir_version=8)
    onnx.save(model, tmp_path / "net.onnx")
    assert run_import(tmp_path / "net.onnx", tmp_path, "--labels", labels, *_RULES) == 2
    assert "it is no image classifier" in capsys.readouterr().err


@pytest.mark.parametrize("is_used", [False, True])
def test_a_second_input_is_left_out_only_where_no_node_takes_it(
    is_used: bool, tmp_path: Path, labels: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tail = [helper.make_node("Mul", ["logits", "scale"], ["scaled"])] if is_used else []
    answers = (TensorProto.FLOAT, ["N", 5]) if is_used else None
    source = write_network(tmp_path / "net.onnx", tail=tail, answers=answers)
    model = onnx.load(source)
    model.graph.input.insert(0, helper.make_tensor_value_info("scale", TensorProto.FLOAT, [1]))
    onnx.save(model, source)
    assert run_import(source, tmp_path, "--labels", labels, *_RULES) == (2 if is_used else 0)
    assert ("can become a constant: model.graph.initializer.append" in capsys.readouterr().err) is is_used
