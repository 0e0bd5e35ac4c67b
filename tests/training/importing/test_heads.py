"""The head of a network is found from its graph and its answers; where they do not show it, the user must state it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from bench.foreign_networks import write_labels, write_network
from training.cli import main
from training.onnx_classifier import OnnxClassifier

_NODE = helper.make_node
_FLOATS = (TensorProto.FLOAT, ["N", 5])
_ONE = (TensorProto.FLOAT, ["N", 1])
_HALVES = [_NODE("Softmax", ["logits"], ["a"]), _NODE("Softmax", ["product"], ["b"]), _NODE("Mean", ["a", "b"], ["p"])]
_SOFTMAX = [_NODE("Exp", ["logits"], ["e"]), _NODE("ReduceSum", ["e"], ["z"]), _NODE("Div", ["e", "z"], ["p"])]
_SOFTMAX[1].attribute.extend([helper.make_attribute("axes", [1]), helper.make_attribute("keepdims", 1)])
_NOISE = helper.make_tensor("value", TensorProto.FLOAT, [5, 5], (0.75 * np.eye(5) + 0.05).ravel())  # its rows sum to 1
_MIXED = [_NODE("Constant", [], ["m"], value=_NOISE), _NODE("Softmax", ["logits"], ["s"])]
_MIXED.append(_NODE("MatMul", ["s", "m"], ["p"]))
_MIXED_PERCENT = [*_MIXED[:2], _NODE("Gemm", ["s", "m"], ["p"], alpha=100.0)]
_SIGMOIDS = [_NODE("Sigmoid", ["logits"], ["p"])]
_TENTH = helper.make_tensor("value", TensorProto.FLOAT, [], [0.1])
_QUANTIZED = [_NODE("Constant", [], ["t"], value=_TENTH), _NODE("QuantizeLinear", ["logits", "t"], ["p"])]
_HUNDRED = helper.make_tensor("value", TensorProto.FLOAT, [], [100])
_PERCENT = [_NODE("Constant", [], ["c"], value=_HUNDRED), _NODE("Softmax", ["logits"], ["s"])]
_PERCENT.append(_NODE("Mul", ["s", "c"], ["p"]))
_SIGMOID = [_NODE("Tanh", ["logits"], ["t"]), _NODE("Exp", ["t"], ["e"]), _NODE("Neg", ["e"], ["n"])]
_SIGMOID.append(_NODE("Exp", ["n"], ["p"]))  # some other function with values from 0 to 1
_RELU6 = [_NODE("Constant", [], ["low"], value=helper.make_tensor("value", TensorProto.FLOAT, [], [0]))]
_RELU6.append(_NODE("Constant", [], ["high"], value=helper.make_tensor("value", TensorProto.FLOAT, [], [6])))
_RELU6.append(_NODE("Clip", ["logits", "low", "high"], ["p"]))
_FIVE = helper.make_tensor("value", TensorProto.INT64, [1], [5])
_TOP = [_NODE("Constant", [], ["five"], value=_FIVE), _NODE("Softmax", ["logits"], ["s"])]
_TOP.append(_NODE("TopK", ["s", "five"], ["p", "places"]))
_TOP_SOFTMAX = [_TOP[0], _NODE("TopK", ["logits", "five"], ["top", "places"]), _NODE("Softmax", ["top"], ["p"])]
_GATHERED = [*_TOP[:2], _NODE("TopK", ["s", "five"], ["top", "places"])]
_GATHERED.append(_NODE("GatherElements", ["s", "places"], ["p"], axis=1))
_SHARES = [*_GATHERED[:3], _NODE("ReduceSum", ["top"], ["z"], axes=[1]), _NODE("Div", ["top", "z"], ["p"])]
_POOLED = [_NODE("Constant", [], ["one"], value=helper.make_tensor("value", TensorProto.INT64, [1], [1]))]
_POOLED += [_NODE("Neg", ["logits"], ["n"]), _NODE("Unsqueeze", ["n"], ["a"], axes=[2])]
_POOLED += [_NODE("Unsqueeze", ["logits"], ["b"], axes=[2]), _NODE("Concat", ["b", "a"], ["pair"], axis=2)]
_POOLED += [_NODE("TopK", ["pair", "one"], ["top", "places"], axis=2), _NODE("Squeeze", ["top"], ["v"], axes=[2])]
_POOLED.append(_NODE("Softmax", ["v"], ["p"]))
_SILU = [_NODE("Sigmoid", ["logits"], ["s"]), _NODE("Mul", ["logits", "s"], ["p"])]


def import_network(tmp_path: Path, words: str, *, classes: int = 5, **form: object) -> int:
    source = write_network(tmp_path / "net.onnx", classes=classes, opset=12, **form)  # type: ignore[arg-type]
    labels = write_labels(tmp_path / "labels.txt", 2 if classes == 1 else classes)
    rules = f"--name x --labels {labels} --preprocessing unit --resize stretch --out {tmp_path / 'models'} {words}"
    return main(["import", str(source), *rules.split()])


@pytest.mark.parametrize(
    ("tail", "answers", "words", "said"),
    [
        (_SOFTMAX, _FLOATS, "", "Say --head softmax"),
        (_HALVES, _FLOATS, "", "Say --head softmax"),
        (_HALVES, _FLOATS, "--head logits", "Say --head softmax"),
        (_MIXED, _FLOATS, "", "Say --head softmax"),
        (_MIXED, _FLOATS, "--head logits", "Say --head softmax"),
        (_MIXED_PERCENT, _FLOATS, "", "sum to 100 for every picture"),
        (_SIGMOIDS, _FLOATS, "--head logits", "values are no logits"),
        (_SIGMOID, _FLOATS, "", "from 0 to 1 only"),
        (_SIGMOID, _FLOATS, "--multi-label", "--values probabilities"),
        (_SIGMOID, _ONE, "", "--values probabilities"),
        ([_NODE("Tanh", ["logits"], ["p"])], _FLOATS, "", "such as tanh"),
        ([_NODE("Tanh", ["logits"], ["p"])], _ONE, "", "such as tanh"),
        ([_NODE("Relu", ["logits"], ["p"])], _ONE, "", "such as ReLU"),
        ([_NODE("Exp", ["logits"], ["p"])], _ONE, "", "neither a dense layer nor a sigmoid"),
        (_RELU6, _ONE, "", "neither a dense layer nor a sigmoid"),
        (_SILU, _ONE, "", "neither a dense layer nor a sigmoid"),
        ([_NODE("Relu", ["logits"], ["p"])], _FLOATS, "--multi-label", "such as ReLU"),
        (_PERCENT, _FLOATS, "", "sum to 100 for every picture"),
        (_PERCENT, _FLOATS, "--head logits", "sum to 100 for every picture"),
        ([_NODE("Softmax", ["logits"], ["p"])], _FLOATS, "--multi-label", "exactly one label"),
        ([_NODE("Softmax", ["logits"], ["p"])], _ONE, "--head sigmoid", "always 1"),
        ([_NODE("ArgMax", ["logits"], ["p"], axis=1)], (TensorProto.INT64, ["N", 1]), "", "ArgMax"),
        (_TOP, _FLOATS, "", "a column is no class; take the tensor before TopK: --output s"),
        (_TOP, _FLOATS, "--head softmax", "--output s"),
        (_TOP_SOFTMAX, _FLOATS, "", "--output logits"),
        (_GATHERED, _FLOATS, "--head softmax", "--output s"),
        (_SHARES, _FLOATS, "--head softmax", "--output s"),
        (_QUANTIZED, (TensorProto.UINT8, ["N", 5]), "", "Remove the last QuantizeLinear"),
        ([], None, "--multi-label --values probabilities", "say logits"),
        ([], None, "--values logits", "belongs to --head sigmoid"),
    ],
)
def test_an_ending_that_does_not_tell_is_asked_for(
    tail: Sequence[onnx.NodeProto],
    answers: tuple[int, list[int | str]] | None,
    words: str,
    said: str,
    *,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    classes = 1 if answers is not None and answers[1][1] == 1 else 5
    assert import_network(tmp_path, words, classes=classes, tail=tail, answers=answers) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "models" / "x" / "1").exists()


def test_what_is_said_of_it_is_taken(tmp_path: Path) -> None:
    assert import_network(tmp_path, "--multi-label --values probabilities", tail=_SIGMOID, answers=_FLOATS) == 0
    served = OnnxClassifier.open(tmp_path / "models" / "x" / "1" / "model.onnx")
    answered = served.predict(np.zeros((1, 16, 16, 3), np.uint8))
    assert answered.min() < 0.4  # a second sigmoid would leave nothing below one half


def test_answers_that_depend_on_other_pictures_are_not_published(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The graph subtracts a mean over the batch, so its answers differ in batches of 1, 7 and 64."""
    tail = [_NODE("ReduceMean", ["logits"], ["m"], axes=[0]), _NODE("Sub", ["logits", "m"], ["p"])]
    assert import_network(tmp_path, "--head logits", tail=tail, answers=_FLOATS) == 2
    assert "nothing is published" in capsys.readouterr().err
    assert not (tmp_path / "models" / "x").exists()


def test_a_graph_that_holds_a_batch_of_one_takes_pictures_one_by_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The graph concatenates a constant with one row, like a class token."""
    token = helper.make_tensor("token", TensorProto.FLOAT, [1, 5], [1, 2, 3, 4, 5])
    tail = [_NODE("Constant", [], ["token"], value=token), _NODE("Concat", ["logits", "token"], ["pair"], axis=1)]
    tail.append(_NODE("Tanh", ["pair"], ["p"]))
    form = {"tail": tail, "answers": (TensorProto.FLOAT, [1, 10]), "batch": 1}
    source = write_network(tmp_path / "net.onnx", opset=12, **form)  # type: ignore[arg-type]
    labels = write_labels(tmp_path / "labels.txt", 10)
    rules = f"--name x --labels {labels} --preprocessing unit --resize stretch --head logits"
    assert main(["import", str(source), *rules.split(), "--out", str(tmp_path / "models")]) == 0
    assert "one picture at a time" in capsys.readouterr().out
    served = OnnxClassifier.open(tmp_path / "models" / "x" / "1" / "model.onnx")
    pictures = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3)).astype(np.uint8)
    alone = np.concatenate([served.predict(picture[np.newaxis]) for picture in pictures])
    assert np.abs(served.predict(pictures) - alone).max() < 1e-6


def test_a_sort_that_pools_is_no_order_of_classes(tmp_path: Path) -> None:
    assert import_network(tmp_path, "", tail=_POOLED, answers=_FLOATS) == 0


def test_a_tensor_before_a_sort_can_be_named(tmp_path: Path) -> None:
    assert import_network(tmp_path, "--output s", tail=_TOP, answers=_FLOATS) == 0
    served = OnnxClassifier.open(tmp_path / "models" / "x" / "1" / "model.onnx")
    answered = served.predict(np.random.default_rng(0).integers(0, 256, (9, 16, 16, 3), np.uint8))
    assert (answered.argmax(axis=1) > 0).any()  # the largest of sorted values is always the first


def test_a_graph_that_answers_once_for_a_whole_batch_takes_pictures_one_by_one(tmp_path: Path) -> None:
    """The graph takes one picture, and the mean over the axis of the batch."""
    tail = [_NODE("ReduceMean", ["logits"], ["p"], axes=[0], keepdims=1)]
    assert import_network(tmp_path, "--head logits", tail=tail, answers=(TensorProto.FLOAT, [1, 5]), batch=1) == 0


_BY_RANGE = [_NODE("DynamicQuantizeLinear", ["logits"], ["q", "level", "zero"])]
_BY_RANGE.append(_NODE("DequantizeLinear", ["q", "level", "zero"], ["p"]))


def test_a_network_that_quantizes_by_the_range_of_a_batch_takes_pictures_one_by_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert import_network(tmp_path, "--head logits", tail=_BY_RANGE, answers=_FLOATS) == 0
    assert "quantizes by the range" in capsys.readouterr().out
    served = OnnxClassifier.open(tmp_path / "models" / "x" / "1" / "model.onnx")
    pictures = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3), np.uint8)
    alone = np.concatenate([served.predict(picture[np.newaxis]) for picture in pictures])
    np.testing.assert_array_equal(served.predict(pictures), alone)


def test_a_fixed_batch_that_is_quantized_by_its_range_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = (TensorProto.FLOAT, [3, 5])
    assert import_network(tmp_path, "--head logits", tail=_BY_RANGE, answers=answers, batch=3) == 2
    assert "depends on the others; export it with an open batch" in capsys.readouterr().err


@pytest.mark.parametrize("classes", [2, 5])
def test_the_axis_of_a_single_picture_may_be_squeezed_out(classes: int, tmp_path: Path) -> None:
    form = {"tail": [_NODE("Squeeze", ["logits"], ["p"])], "answers": (TensorProto.FLOAT, [classes]), "batch": 1}
    assert import_network(tmp_path, "", classes=classes, **form) == 0


def test_the_answer_for_a_single_picture_may_be_a_number_without_axes(tmp_path: Path) -> None:
    """As ``torch.sigmoid(x).squeeze()`` exports it for a batch of one."""
    tail = [_NODE("Sigmoid", ["logits"], ["s"]), _NODE("Squeeze", ["s"], ["p"])]
    assert import_network(tmp_path, "", classes=1, tail=tail, answers=(TensorProto.FLOAT, []), batch=1) == 0
    pictures = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), np.uint8)
    assert OnnxClassifier.open(tmp_path / "models" / "x" / "1" / "model.onnx").predict(pictures).shape == (3, 2)


def test_the_classes_may_be_the_last_of_four_axes(tmp_path: Path) -> None:
    axes = helper.make_tensor("value", TensorProto.INT64, [4], [-1, 1, 1, 5])
    tail = [_NODE("Constant", [], ["axes"], value=axes), _NODE("Reshape", ["logits", "axes"], ["p"])]
    assert import_network(tmp_path, "", tail=tail, answers=(TensorProto.FLOAT, ["N", 1, 1, 5])) == 0


def test_choices_stand_on_lines_of_their_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", str(write_network(tmp_path / "net.onnx")), "--name", "x", "--out", str(tmp_path)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("error: ")
    assert sum(line.startswith("  --preprocessing ") for line in lines) >= 6
    assert sum(line.startswith("  --resize ") for line in lines) >= 4
