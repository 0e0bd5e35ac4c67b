"""Labelled examples show whether a notebook scaled pixels too, and whether the labels are in the right order."""

import shutil
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper
from PIL import Image

from bench.foreign_networks import CLASSES, write_labels, write_network
from contract import ModelMetadata
from training.cli import main
from training.importing.calibration import order_note

_WHITE = 255.0


def run_import(source: Path, tmp_path: Path, *words: str) -> int:
    labels = write_labels(tmp_path / "labels.txt")
    stated = ["--labels", str(labels), "--resize", "stretch", "--out", str(tmp_path / "models"), "--version", "1"]
    return main(["import", str(source), "--name", "birds", *stated, *words])


def imported(tmp_path: Path) -> tuple[onnxruntime.InferenceSession, ModelMetadata]:
    session = onnxruntime.InferenceSession(tmp_path / "models" / "birds" / "1" / "model.onnx")
    return session, ModelMetadata.from_props(session.get_modelmeta().custom_metadata_map)


def write_dividing_network(path: Path, *, largest: float) -> Path:
    """A network that divides its input by 255, and learnt from values up to ``largest``."""
    front = [
        helper.make_node("Div", ["x", "white"], ["scaled"]),
        helper.make_node("Sqrt", ["scaled"], ["bent"]),  # what follows is no scaling of pixels
        helper.make_node("Mul", ["bent", "much"], ["large"]),
        helper.make_node("Sub", ["large", "half"], ["centred"]),
    ]
    constants = {"white": _WHITE, "much": 4 * (_WHITE / largest) ** 0.5, "half": 2.0}
    return write_network(path, front=front, constants={name: np.float32([x]) for name, x in constants.items()})


def write_examples(folder: Path, source: Path, *, divisor: float, pictures: int = 60) -> None:
    """Writes pictures into folders by the network's own answers to pixels that are divided."""
    model = onnx.load(source)
    model.ir_version = 10
    session = onnxruntime.InferenceSession(model.SerializeToString())
    images = np.random.default_rng(3).integers(0, 256, (pictures, 16, 16, 3), np.uint8)
    images = (images * np.linspace(0, 1, pictures)[:, None, None, None]).astype(np.uint8)
    values = (images.transpose(0, 3, 1, 2) / divisor).astype(np.float32)
    for index, kind in enumerate(session.run(None, {"x": values})[0].argmax(axis=1)):
        (folder / f"kind {kind}").mkdir(parents=True, exist_ok=True)
        Image.fromarray(images[index]).save(folder / f"kind {kind}" / f"{index}.png")


@pytest.mark.parametrize(("divisor", "found"), [(1.0, "raw"), (255.0, "unit,twice")])
def test_the_examples_show_whether_the_notebook_divided_before_a_network_that_divides(
    divisor: float, found: str, tmp_path: Path
) -> None:
    source = write_dividing_network(tmp_path / "net.onnx", largest=_WHITE / divisor)
    write_examples(tmp_path / "examples", source, divisor=divisor)
    assert run_import(source, tmp_path, "--preprocessing", "measured", "--examples", str(tmp_path / "examples")) == 0
    _, metadata = imported(tmp_path)
    assert metadata.evaluation is not None
    assert metadata.evaluation.accuracy == 1
    assert ("as stated by measured" in (metadata.preprocessing_proof or "")) == (found == "unit,twice")


def test_copies_of_examples_do_not_show_the_preprocessing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_dividing_network(tmp_path / "net.onnx", largest=1.0)
    write_examples(tmp_path / "examples", source, divisor=255.0, pictures=4)
    for picture in sorted((tmp_path / "examples").rglob("*.png")):
        for number in range(20):
            shutil.copy(picture, picture.with_name(f"{picture.stem}-{number}.png"))
    measured = ("--preprocessing", "measured", "--examples", str(tmp_path / "examples"))
    assert run_import(source, tmp_path, *measured) == 2
    assert "too close on 4 pictures" in capsys.readouterr().err


def test_pixels_are_divided_before_a_network_that_divides_where_this_is_stated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_dividing_network(tmp_path / "net.onnx", largest=1)
    assert run_import(source, tmp_path, "--preprocessing", "unit,twice") == 0
    session, metadata = imported(tmp_path)
    assert metadata.preprocessing_proof == "as stated by --preprocessing unit,twice, not proven"
    answered = session.run(["probabilities"], {"image": np.full((1, 16, 16, 3), 90, np.uint8)})[0]
    model = onnx.load(source)
    model.ir_version = 10
    own = onnxruntime.InferenceSession(model.SerializeToString())
    raw = own.run(None, {"x": np.full((1, 3, 16, 16), 90 / 255, np.float32)})[0]
    np.testing.assert_allclose(answered, np.exp(raw) / np.exp(raw).sum(1, keepdims=True), atol=1e-5)
    capsys.readouterr()
    assert run_import(write_network(tmp_path / "net.onnx"), tmp_path, "--preprocessing", "unit,twice") == 2
    assert "leave `twice` out" in capsys.readouterr().err


def test_labels_in_a_wrong_order_are_noted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_dividing_network(tmp_path / "net.onnx", largest=_WHITE)
    write_examples(tmp_path / "examples", source, divisor=1)
    labels = tmp_path / "reversed.txt"
    labels.write_text("".join(f"kind {index}\n" for index in reversed(range(CLASSES))))
    words = ("--preprocessing", "raw", "--examples", str(tmp_path / "examples"))
    assert run_import(source, tmp_path, *words, "--labels", str(labels)) == 0
    shown = capsys.readouterr().out
    assert "labels        5: kind 4, kind 3, kind 2, kind 1, kind 0 (--labels reversed.txt)" in shown
    assert "the labels seem to be in a wrong order ('kind" in shown
    assert "60 of 60 example pictures would be right" in shown
    assert run_import(source, tmp_path, *words) == 0
    assert "wrong order" not in capsys.readouterr().out


def test_a_class_that_is_often_mistaken_is_no_wrong_order() -> None:
    names = ("ant", "bee", "cat")
    assert not order_note(np.array([[20, 0, 0], [12, 8, 0], [0, 0, 20]]), names)
    assert not order_note(np.array([[1, 1, 0], [1, 2, 0], [0, 1, 1]]), names)
    assert "'bee' is answered 'cat'" in order_note(np.array([[20, 0, 0], [0, 1, 19], [0, 18, 2]]), names)


def test_single_wrong_answers_do_not_show_another_order() -> None:
    confusion = np.zeros((100, 100), np.int64)
    confusion[np.arange(9), np.arange(9)] = 1
    confusion[np.arange(9, 20), np.arange(50, 61)] = 1
    assert not order_note(confusion, tuple(f"kind {row}" for row in range(100)))


@pytest.mark.parametrize("confusion", [[[0, 90], [0, 10]], [[4, 16], [0, 0]]])
def test_a_constant_answer_does_not_show_another_order(confusion: list[list[int]]) -> None:
    assert "no better than chance" in order_note(np.array(confusion), ("fine", "defect"))


def test_another_order_of_unequal_classes_is_shown() -> None:
    assert "'fine' is answered 'defect'" in order_note(np.array([[0, 90], [10, 0]]), ("fine", "defect"))


def test_answers_that_are_no_better_than_chance_are_noted() -> None:
    assert "no better than chance" in order_note(np.array([[10, 0], [10, 0]]), ("ant", "bee"))
    assert not order_note(np.array([[10, 0], [6, 4]]), ("ant", "bee"))


def test_of_many_labels_the_first_and_the_last_are_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_network(tmp_path / "net.onnx", classes=9)
    labels = write_labels(tmp_path / "nine.txt", 9)
    labels.write_text(labels.read_text().replace("kind 1", "kind|1"))
    assert run_import(source, tmp_path, "--preprocessing", "unit", "--labels", str(labels)) == 0
    assert "9: kind 0, kind|1, kind 2, kind 3, ..., kind 8 (" in capsys.readouterr().out
    card = (tmp_path / "models" / "birds" / "1" / "MODEL_CARD.md").read_text()
    assert "| labels | 9: kind 0, kind\\|1, kind 2, kind 3, ..., kind 8 |" in card
