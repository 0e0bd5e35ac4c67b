"""What a network does with its pixels inside the graph is neither done twice nor left out."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper

from bench.foreign_networks import write_network
from tests.training.importing.onnx_files import imported, run_import


@pytest.mark.parametrize("rule", ["unit", "imagenet", "signed"])
def test_a_network_of_whole_numbers_gets_whole_numbers(
    rule: str, tmp_path: Path, labels: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_network(tmp_path / "net.onnx", dtype=np.uint8, layout="NHWC")
    words = ["--labels", str(labels), "--preprocessing", rule, "--resize", "stretch"]
    assert run_import(source, tmp_path, *words) == 2
    assert "takes uint8" in capsys.readouterr().err


def test_scaling_inside_the_graph_is_not_applied_twice(
    tmp_path: Path, labels: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    front = [helper.make_node("Div", ["x", "white"], ["scaled"])]
    source = write_network(tmp_path / "net.onnx", front=front, constants={"white": np.array([255], np.float32)})
    resize = ("--labels", labels, "--resize", "stretch")
    assert run_import(source, tmp_path, *resize, "--preprocessing", "imagenet") == 2
    assert "applied twice" in capsys.readouterr().err.lower()
    assert run_import(source, tmp_path, *resize, "--preprocessing", "unit") == 0
    assert "not applied twice" in capsys.readouterr().out


def test_a_normalisation_with_a_mean_below_zero_is_no_scaling_of_pixels(tmp_path: Path, labels: Path) -> None:
    front = [helper.make_node("Add", ["x", "shift"], ["moved"])]
    source = write_network(tmp_path / "net.onnx", front=front, constants={"shift": np.array([5], np.float32)})
    assert run_import(source, tmp_path, "--labels", labels, "--resize", "stretch", "--preprocessing", "unit") == 0


@pytest.mark.parametrize(("words", "code"), [((), 2), (("--preprocessing", "unit"), 0)])
def test_a_normalisation_of_pixels_from_0_to_1_with_a_small_scale_is_no_scaling_of_pixels(
    words: tuple[str, ...], code: int, tmp_path: Path, labels: Path
) -> None:
    """Such as a BatchNormalization that has learned a small gamma; its mean shows that pixels are divided before."""
    front = [helper.make_node("Sub", ["x", "mean"], ["moved"]), helper.make_node("Mul", ["moved", "small"], ["scaled"])]
    constants = {"mean": np.array([0.5], np.float32), "small": np.array([0.05], np.float32)}
    source = write_network(tmp_path / "net.onnx", front=front, constants=constants)
    assert run_import(source, tmp_path, "--labels", labels, "--resize", "stretch", *words) == code


_NORMALISED = [
    helper.make_node("Sub", ["x", "mean"], ["moved"]),
    helper.make_node("Div", ["moved", "std"], ["scaled"]),
]
_IMAGENET = {
    "mean": np.array([0.485, 0.456, 0.406], np.float32).reshape(1, 3, 1, 1),
    "std": np.array([0.229, 0.224, 0.225], np.float32).reshape(1, 3, 1, 1),
}


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("imagenet", "Say --preprocessing unit; or RULE,twice"),
        ("signed", "subtracts 0.485, 0.456, 0.406 and divides by 0.229, 0.224, 0.225, which fit pixels from 0 to 1"),
        ("raw", "Say --preprocessing unit"),
        ("", "--preprocessing unit is right"),
        ("unit", ""),
        ("unit,order=BGR", ""),
        ("imagenet,twice", ""),
        ("raw,twice", ""),
    ],
)
def test_a_normalisation_of_pixels_from_0_to_1_in_the_graph_is_not_done_twice(
    rule: str, said: str, tmp_path: Path, labels: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_network(tmp_path / "net.onnx", front=_NORMALISED, constants=_IMAGENET)
    words = ["--preprocessing", rule] if rule else []
    assert run_import(source, tmp_path, "--labels", labels, "--resize", "stretch", *words) == (2 if said else 0)
    assert said in capsys.readouterr().err


_LEARNED = [helper.make_node("BatchNormalization", ["x", "one", "zero", "mean", "var"], ["scaled"])]
_FOLDED = [helper.make_node("Mul", ["x", "two"], ["twice"]), helper.make_node("Add", ["twice", "below"], ["scaled"])]


@pytest.mark.parametrize("front", [_LEARNED, _FOLDED], ids=["BatchNormalization", "Mul and Add"])
def test_what_a_first_batch_normalization_has_learned_is_no_normalisation_of_pixels(
    front: list[onnx.NodeProto], tmp_path: Path, labels: Path
) -> None:
    values = {"one": 1, "zero": 0, "mean": 0.3, "var": 0.25, "two": 2, "below": -0.6}
    constants = {name: np.float32(value) * np.ones((3, 1, 1), np.float32) for name, value in values.items()}
    constants |= {name: constants[name].ravel() for name in ("one", "zero", "mean", "var")}
    source = write_network(tmp_path / "net.onnx", front=front, constants=constants)
    words = ["--labels", labels, "--resize", "stretch", "--preprocessing", "imagenet"]
    assert run_import(source, tmp_path, *words) == 0


def test_a_mean_may_be_subtracted_before_a_network_that_divides(tmp_path: Path, labels: Path) -> None:
    front = [helper.make_node("Div", ["x", "white"], ["scaled"])]
    source = write_network(tmp_path / "net.onnx", front=front, constants={"white": np.array([255], np.float32)})
    assert run_import(source, tmp_path, "--labels", labels, "--resize", "stretch", "--preprocessing", "caffe") == 0
    session, metadata = imported(tmp_path)
    assert (metadata.preprocessing_proof or "").startswith("as stated by --preprocessing caffe")
    images = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), np.uint8)
    values = (images[..., ::-1] - [103.939, 116.779, 123.68]).transpose(0, 3, 1, 2).astype(np.float32)
    model = onnx.load(source)
    model.ir_version = 10
    raw = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": values})[0]
    answered = session.run(["probabilities"], {"image": images})[0]
    np.testing.assert_allclose(answered, np.exp(raw) / np.exp(raw).sum(1, keepdims=True), atol=1e-5)


@pytest.mark.parametrize("rule", ["raw,order=BGR", "unit,order=BGR"])
def test_a_network_that_scales_inside_may_take_bgr(rule: str, tmp_path: Path, labels: Path) -> None:
    front = [helper.make_node("Div", ["x", "white"], ["scaled"])]
    source = write_network(tmp_path / "net.onnx", front=front, constants={"white": np.array([255], np.float32)})
    assert run_import(source, tmp_path, "--labels", labels, "--resize", "stretch", "--preprocessing", rule) == 0
    session, metadata = imported(tmp_path)
    images = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), np.uint8)
    values = images[..., ::-1].transpose(0, 3, 1, 2).astype(np.float32)
    model = onnx.load(source)
    model.ir_version = 10
    raw = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": values})[0]
    answered = session.run(["probabilities"], {"image": images})[0]
    np.testing.assert_allclose(answered, np.exp(raw) / np.exp(raw).sum(1, keepdims=True), atol=1e-5)
    assert "not proven" in (metadata.preprocessing_proof or "")


def test_a_network_of_whole_numbers_may_take_bgr(tmp_path: Path, labels: Path) -> None:
    source = write_network(
        tmp_path / "net.onnx",
        dtype=np.uint8,
        layout="NHWC",
        front=[
            helper.make_node("Cast", ["x"], ["whole"], to=1),
            helper.make_node("Div", ["whole", "white"], ["scaled"]),
        ],
        constants={"white": np.array([255], np.float32)},
    )
    words = ["--labels", labels, "--resize", "stretch", "--preprocessing", "raw,order=BGR"]
    assert run_import(source, tmp_path, *words) == 0
