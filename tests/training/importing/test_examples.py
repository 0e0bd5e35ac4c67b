"""Folders of labelled pictures measure and calibrate an imported network, and show how its pixels are prepared."""

import json
import shutil
import unicodedata
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from PIL import Image

from bench.foreign_networks import CLASSES, write_network
from tests.training.importing.onnx_files import RULES, imported, run_import
from training.data import sources
from training.importing.examples import find_examples
from training.onnx_classifier import OnnxClassifier


def test_labelled_examples_measure_and_calibrate(tmp_path: Path, labels: Path) -> None:
    source = write_network(tmp_path / "net.onnx")
    _write_examples(tmp_path / "examples", source, each=80)
    pictures = sorted((tmp_path / "examples").rglob("*.png"))
    for number in range(50):
        shutil.copy(pictures[0], pictures[0].with_name(f"copy{number}.png"))
    assert run_import(source, tmp_path, "--labels", labels, *RULES, "--examples", tmp_path / "examples") == 0
    _, metadata = imported(tmp_path)
    assert metadata.evaluation is not None
    assert metadata.evaluation.images == (len(pictures) + 1) // 2  # copies count once
    assert metadata.uncalibrated is not None
    assert metadata.evaluation.accuracy == metadata.uncalibrated.accuracy > 0.9
    assert metadata.temperature != 1
    assert metadata.conformal is not None
    assert metadata.conformal.images == metadata.evaluation.images  # without the pictures that fitted the temperature
    assert metadata.conformal.levels[0].coverage == 0.9
    assert metadata.golden[0].label is not None
    record = json.loads((tmp_path / "models" / "birds" / "1" / "metrics.json").read_text())
    assert record["test"]["accuracy"] == metadata.evaluation.accuracy
    folder = tmp_path / "models" / "birds" / "1"
    card = (folder / "MODEL_CARD.md").read_text()
    shown = {word.split(")")[0] for word in card.split("](")[1:] if word.startswith("figures/")}
    assert shown == {str(path.relative_to(folder)) for path in folder.rglob("*.png")}
    assert {"figures/confusion_matrix.png", "figures/reliability_diagram.png"} <= shown


def test_an_example_in_two_classes_is_refused(tmp_path: Path, labels: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_network(tmp_path / "net.onnx")
    for number in range(2):
        (tmp_path / "examples" / f"kind {number}").mkdir(parents=True)
        Image.new("RGB", (16, 16)).save(tmp_path / "examples" / f"kind {number}" / "black.png")
    assert run_import(source, tmp_path, "--labels", labels, *RULES, "--examples", tmp_path / "examples") == 2
    assert "has the same picture as 'kind 0' and as 'kind 1'" in capsys.readouterr().err


def test_the_preprocessing_is_measured_only_when_told(
    tmp_path: Path, labels: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_network(tmp_path / "net.onnx")
    _write_examples(tmp_path / "examples", source, each=12)
    words = ("--labels", labels, "--resize", "stretch", "--examples", tmp_path / "examples")
    assert run_import(source, tmp_path, *words) == 2
    shown = capsys.readouterr().err
    assert "imagenet" in shown
    assert "--preprocessing measured" in shown
    assert run_import(source, tmp_path, *words, "--preprocessing", "measured") == 0
    assert imported(tmp_path)[1].training["stated"]["pixels"]["by"].startswith("measured")


def test_what_is_stated_is_not_measured_over(tmp_path: Path, labels: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_network(tmp_path / "net.onnx")
    _write_examples(tmp_path / "examples", source, each=12)
    examples = ("--labels", labels, "--examples", tmp_path / "examples")
    assert run_import(source, tmp_path, *examples, "--preprocessing", "measured", "--resize", "contain") == 0
    assert imported(tmp_path)[1].fit == "contain"
    card = (tmp_path / "models" / "birds" / "1" / "MODEL_CARD.md").read_text()
    assert "on which the preprocessing was also chosen" in card
    capsys.readouterr()
    assert run_import(source, tmp_path, *examples, "--preprocessing", "imagenet") == 2
    shown = capsys.readouterr().err
    assert "imagenet     stretch " in shown
    assert "--resize stretch" in shown
    assert run_import(source, tmp_path, *examples, "--preprocessing", "measured") == 2  # with square pictures
    assert "--resize cover" in capsys.readouterr().err


def test_a_tie_is_refused(tmp_path: Path, labels: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_network(tmp_path / "net.onnx")
    folder = tmp_path / "examples" / "kind 0"
    folder.mkdir(parents=True)
    Image.new("RGB", (16, 16)).save(folder / "black.png")
    words = ("--labels", labels, "--resize", "stretch", "--examples", tmp_path / "examples")
    assert run_import(source, tmp_path, *words, "--preprocessing", "measured") == 2
    assert "too close" in capsys.readouterr().err


def test_examples_are_the_files_of_folders_of_labels(tmp_path: Path) -> None:
    folder = tmp_path / "examples"
    kind = folder / unicodedata.normalize("NFD", "Bülbül")
    (kind / "deeper").mkdir(parents=True)
    for path in (folder / "Thumbs.db", folder / "beside.png", kind / "a.png", kind / "Thumbs.db"):
        path.touch()
    found = find_examples(folder, ["ship", "Bülbül"])
    assert (found.paths, found.classes) == ((kind / "a.png",), (1,))
    assert found.ignored == (folder / "beside.png", kind / "deeper")


def test_other_commands_read_pictures_as_the_service_does(tmp_path: Path, labels: Path) -> None:
    source = write_network(tmp_path / "net.onnx")
    _write_examples(tmp_path / "examples", source, each=10)
    assert run_import(source, tmp_path, "--labels", labels, *RULES) == 0
    _, metadata = imported(tmp_path)
    data = sources.load_for(metadata, tmp_path / "examples")
    answered = OnnxClassifier.open(tmp_path / "models" / "birds" / "1" / "model.onnx").predict(data.train.pixels)
    assert (answered.argmax(axis=1) == data.train.classes).all()


def test_the_only_picture_of_a_class_is_one_to_measure_on(tmp_path: Path, labels: Path) -> None:
    assert run_import(write_network(tmp_path / "net.onnx"), tmp_path, "--labels", labels, *RULES) == 0
    _, metadata = imported(tmp_path)
    for index, name in enumerate(metadata.class_names):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        Image.new("RGB", (20, 20), (40 * index, 9, 0)).save(tmp_path / "pictures" / name / "a.png")
    Image.new("RGB", (20, 20)).save(tmp_path / "pictures" / "kind 1" / "b.png")
    data = sources.load_for(metadata, tmp_path / "pictures")
    assert sorted(data.test.classes) == [0, 1, 2, 3, 4]


def test_other_commands_tell_classes_of_one_name_apart(tmp_path: Path) -> None:
    names = ["crane", "crane", "owl", "hen", "jay"]
    (tmp_path / "labels.txt").write_text("".join(f"n0000000{index} {name}\n" for index, name in enumerate(names)))
    assert run_import(write_network(tmp_path / "net.onnx"), tmp_path, "--labels", tmp_path / "labels.txt", *RULES) == 0
    _, metadata = imported(tmp_path)
    for index, name in enumerate(metadata.class_names):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for number in range(2):
            color = (40 * index, 90 * number, 0)
            Image.new("RGB", (20, 20), color).save(tmp_path / "pictures" / name / f"{number}.png")
    assert sources.load_for(metadata, tmp_path / "pictures").labels == metadata.class_names


def _write_examples(folder: Path, source: Path, *, each: int) -> None:
    """Writes pictures into folders by the network's own answers, with torchvision's preprocessing."""
    model = onnx.load(source)
    model.ir_version = 10
    session = onnxruntime.InferenceSession(model.SerializeToString())
    rng = np.random.default_rng(3)
    counts = [0] * CLASSES
    for index in range(60 * each):
        image = np.kron(rng.integers(0, 256, (4, 4, 3)), np.ones((5, 5, 1))).astype(np.uint8)
        seen = image[2:18, 2:18]
        values = (seen / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
        kind = int(session.run(None, {"x": values.transpose(2, 0, 1)[np.newaxis].astype(np.float32)})[0].argmax())
        if counts[kind] < each:
            counts[kind] += 1
            if counts[kind] % 20 == 0:  # for a network that is always right, no temperature has the least loss
                kind = (kind + 1) % CLASSES
            (folder / f"kind {kind}").mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(folder / f"kind {kind}" / f"{index}.png")
