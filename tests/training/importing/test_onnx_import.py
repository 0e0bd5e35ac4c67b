"""ONNX files of every form are imported with unchanged answers; facts that are missing must be stated by the user."""

import json
import os
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper
from PIL import Image

import contract.golden
from bench.foreign_networks import CLASSES, write_labels, write_network
from contract import ModelMetadata
from training.cli import main
from training.data import sources
from training.importing import importer
from training.importing.examples import find_examples
from training.importing.onnx_source import open_onnx
from training.importing.preprocessing import Preprocessing
from training.importing.stated import Stated
from training.onnx_classifier import OnnxClassifier

RULES = ("--preprocessing", "imagenet", "--resize", "shortest-edge:20", "--crop", "16")


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    return write_labels(tmp_path / "labels.txt")


def run_import(source: Path, tmp_path: Path, *words: str | Path) -> int:
    return main(["import", str(source), "--name", "birds", "--out", str(tmp_path / "models"), *map(str, words)])


def imported(tmp_path: Path) -> tuple[onnxruntime.InferenceSession, ModelMetadata]:
    session = onnxruntime.InferenceSession(tmp_path / "models" / "birds" / "1" / "model.onnx")
    return session, ModelMetadata.from_props(session.get_modelmeta().custom_metadata_map)


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"layout": "NHWC"},
        {"batch": 1},
        {"batch": 3},
        {"dtype": np.float16},
        {"head": "softmax"},
        {"opset": 9},
        {"opset": 21},
        {"sides": ("H", "W")},
    ],
    ids=str,
)
def test_its_answers_are_those_of_the_original(form: dict[str, Any], tmp_path: Path, labels: Path) -> None:
    source = write_network(tmp_path / "net.onnx", **form)
    words = ["--size", "16"] if "sides" in form else []
    assert run_import(source, tmp_path, "--labels", labels, *RULES, *words) == 0
    session, metadata = imported(tmp_path)
    images = np.random.default_rng(0).integers(0, 256, (6, 16, 16, 3), np.uint8)
    answered = session.run(["probabilities"], {"image": images})[0]

    values = (images / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    values = values if form.get("layout") == "NHWC" else values.transpose(0, 3, 1, 2)
    values = values.astype(form.get("dtype", np.float32))
    model = onnx.load(source)
    model.ir_version = 10
    original = onnxruntime.InferenceSession(model.SerializeToString())
    batch = form.get("batch", 6)
    raw = np.concatenate([original.run(None, {"x": values[i : i + batch]})[0] for i in range(0, 6, batch)])
    wanted = raw if form.get("head") == "softmax" else np.exp(raw) / np.exp(raw).sum(1, keepdims=True)
    assert np.abs(answered - wanted).max() < (5e-3 if "dtype" in form else 1e-4)
    assert metadata.fit == "shortest-edge"
    assert metadata.evaluation is None
    assert metadata.reference is None
    assert "not proven" in (metadata.preprocessing_proof or "")
    assert (tmp_path / "models" / "birds" / "1" / "MODEL_CARD.md").read_text().count("not measured") == 1


def test_a_version_that_another_process_publishes_meanwhile_is_kept(
    tmp_path: Path,
    labels: Path,
    capsys: pytest.CaptureFixture[str],
    another_publishes_first: Callable[[ModuleType], None],
) -> None:
    another_publishes_first(importer)
    assert run_import(write_network(tmp_path / "net.onnx"), tmp_path, "--labels", labels, *RULES) == 0
    versions = tmp_path / "models" / "birds"
    assert capsys.readouterr().out.startswith(f"{versions / '2'}: ")
    assert (versions / "1" / "model.onnx").read_text() == "of another process"
    assert OnnxClassifier.open(versions / "2" / "model.onnx").metadata.version == "2"


def test_a_large_input_has_fewer_golden_images(tmp_path: Path, labels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contract.golden, "MOST_GOLDEN_BYTES", 5 * 16 * 16 * 3)  # so that 16 x 16 is large
    assert run_import(write_network(tmp_path / "net.onnx"), tmp_path, "--labels", labels, *RULES) == 0
    assert len(imported(tmp_path)[1].golden) == 5


def test_an_open_batch_may_be_written_as_minus_one(tmp_path: Path, labels: Path) -> None:
    """As PaddlePaddle's exporter writes it."""
    source = write_network(tmp_path / "net.onnx", batch=-1)
    assert run_import(source, tmp_path, "--labels", str(labels), *RULES) == 0


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_an_input_that_leaves_all_its_axes_open(layout: str, tmp_path: Path, labels: Path) -> None:
    """As exporters of Hugging Face write it."""
    source = write_network(tmp_path / "net.onnx", layout=layout)
    model = onnx.load(source)
    for index, dim in enumerate(model.graph.input[0].type.tensor_type.shape.dim):
        dim.dim_param = f"axis_{index}"
    onnx.save(model, source)
    assert run_import(source, tmp_path, "--labels", str(labels), *RULES, "--size", "16") == 0


@pytest.mark.parametrize("rule", ["unit", "imagenet", "signed"])
def test_a_network_of_whole_numbers_gets_whole_numbers(
    rule: str, tmp_path: Path, labels: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_network(tmp_path / "net.onnx", dtype=np.uint8, layout="NHWC")
    words = ["--labels", str(labels), "--preprocessing", rule, "--resize", "stretch"]
    assert run_import(source, tmp_path, *words) == 2
    assert "takes uint8" in capsys.readouterr().err


def test_data_beside_the_file_is_read(tmp_path: Path, labels: Path) -> None:
    model = onnx.load(write_network(tmp_path / "whole.onnx"))
    onnx.save(model, tmp_path / "net.onnx", save_as_external_data=True, location="net.bin", size_threshold=0)
    assert run_import(tmp_path / "net.onnx", tmp_path, "--labels", labels, *RULES) == 0


@pytest.mark.parametrize("location", ["../net.bin", "loop", "pipe", "a\0b"])
def test_only_plain_files_of_the_folder_are_read(
    location: str, tmp_path: Path, labels: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "in" / "pipe")
    model = onnx.load(write_network(tmp_path / "whole.onnx"))
    onnx.save(model, tmp_path / "net.onnx", save_as_external_data=True, location="net.bin", size_threshold=0)
    model = onnx.load(tmp_path / "net.onnx", load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            entry.value = location if entry.key == "location" else entry.value
    (tmp_path / "in" / "net.onnx").write_bytes(model.SerializeToString())
    assert run_import(tmp_path / "in" / "net.onnx", tmp_path, "--labels", labels, *RULES) == 2
    assert "only plain files below the folder" in capsys.readouterr().err


def test_labelled_examples_measure_and_calibrate(tmp_path: Path, labels: Path) -> None:
    source = write_network(tmp_path / "net.onnx")
    _write_examples(tmp_path / "examples", source, each=80)
    assert run_import(source, tmp_path, "--labels", labels, *RULES, "--examples", tmp_path / "examples") == 0
    _, metadata = imported(tmp_path)
    assert metadata.evaluation is not None
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
    assert "imagenet   stretch " in shown
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


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "one label a line"),
        (("--labels", "LABELS"), "--preprocessing unit"),
        (("--labels", "LABELS", "--preprocessing", "imagenet"), "--resize stretch"),
        (("--labels", "LABELS", "--preprocessing", "imagnet", "--resize", "cover"), "none of"),
        (("--labels", "LABELS", "--preprocessing", "mean=123,std=58", "--resize", "cover"), "scale=255"),
        (("--labels", "FOUR", *RULES), "4 labels, but the network answers 5 classes"),
        (("--labels", "LABELS", *RULES, "--head", "softmax"), "do not sum to 1"),
        (("--labels", "LABELS", *RULES, "--output", "other"), "it has logits"),
        (("--labels", "LABELS", *RULES, "--size", "17", "--crop", "17"), "takes 16 x 16"),
        (("--labels", "LABELS", "--preprocessing", "unit", "--resize", "shortest-edge:8"), "does not fit"),
    ],
    ids=lambda words: " ".join(words[-2:]) if isinstance(words, tuple) else "",
)
def test_what_is_not_known_is_asked_for(
    words: tuple[str, ...], said: str, tmp_path: Path, labels: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_network(tmp_path / "net.onnx")
    files = {"LABELS": str(labels), "FOUR": str(write_labels(tmp_path / "four.txt", 4))}
    assert run_import(source, tmp_path, *[files.get(word, word) for word in words]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "models" / "birds" / "1").exists()


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


def test_of_several_outputs_one_is_named(tmp_path: Path, labels: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_network(tmp_path / "net.onnx", outputs=("features",))
    assert run_import(source, tmp_path, "--labels", labels, *RULES) == 2
    assert "--output NAME" in capsys.readouterr().err
    assert run_import(source, tmp_path, "--labels", labels, *RULES, "--output", "logits") == 0


def test_several_labels_a_picture_are_never_softmaxed(
    tmp_path: Path, labels: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_network(tmp_path / "net.onnx", head="sigmoid")
    assert run_import(source, tmp_path, "--labels", labels, *RULES) == 2
    assert "--head multi-label" in capsys.readouterr().err
    assert run_import(source, tmp_path, "--labels", labels, *RULES, "--multi-label") == 0
    session, metadata = imported(tmp_path)
    assert metadata.multi_label
    sums = session.run(None, {"image": np.full((1, 16, 16, 3), 90, np.uint8)})[0].sum()
    assert abs(sums - 1) > 0.1


def test_no_accuracy_is_made_of_several_labels(
    tmp_path: Path, labels: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_import(write_network(tmp_path / "net.onnx"), tmp_path, "--labels", labels, *RULES, "--multi-label") == 0
    file, pictures = tmp_path / "models" / "birds" / "1" / "model.onnx", tmp_path / "pictures"
    for index in range(10):
        (pictures / f"kind {index % 5}").mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20, 20), (25 * index, 0, 0)).save(pictures / f"kind {index % 5}" / f"{index}.png")
    assert main(["evaluate", str(file), "--data-dir", str(pictures)]) == 2
    capsys.readouterr()
    words = ["--precision", "float16", "--data-dir", str(pictures), "--out", str(tmp_path / "models")]
    assert main(["convert", str(file), *words]) == 0
    assert "accuracy is not measured" in capsys.readouterr().out
    made = OnnxClassifier.open(tmp_path / "models" / "birds-float16" / "1" / "model.onnx").metadata
    assert made.evaluation is None


def test_one_sigmoid_unit_answers_two_labels(tmp_path: Path) -> None:
    source = write_network(tmp_path / "net.onnx", head="sigmoid", classes=1)
    assert run_import(source, tmp_path, "--labels", write_labels(tmp_path / "two.txt", 2), *RULES) == 0
    answered = imported(tmp_path)[0].run(None, {"image": np.zeros((2, 16, 16, 3), np.uint8)})[0]
    assert answered.shape == (2, 2)
    assert np.allclose(answered.sum(1), 1)
    assert imported(tmp_path)[1].one_unit


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x0a"], ids=["empty", "text", "no graph"])
def test_a_damaged_file_is_told_in_one_line(
    content: bytes, tmp_path: Path, labels: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "net.onnx").write_bytes(content)
    assert run_import(tmp_path / "net.onnx", tmp_path, "--labels", labels, *RULES) == 2
    assert "not an ONNX file" in capsys.readouterr().err


def test_a_segmentation_network_is_no_classifier(
    tmp_path: Path, labels: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    node = helper.make_node("Identity", ["x"], ["y"])
    ports = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["N", 3, 16, 16]) for name in ("x", "y")]
    graph = helper.make_graph([node], "g", ports[:1], ports[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]), tmp_path / "net.onnx")
    assert run_import(tmp_path / "net.onnx", tmp_path, "--labels", labels, *RULES) == 2
    assert "no classifier" in capsys.readouterr().err


def test_pictures_are_answered_in_batches(tmp_path: Path) -> None:
    seen: list[int] = []
    source = open_onnx(write_network(tmp_path / "net.onnx"), Stated())

    def counted(values: np.ndarray) -> np.ndarray:
        seen.append(len(values))
        return source.answer(values)

    images = np.random.default_rng(0).integers(0, 256, (150, 16, 16, 3), np.uint8)
    rule = Preprocessing.parse("unit")
    answers = replace(source, answer=counted).answer_pictures(images, rule)
    np.testing.assert_allclose(answers, source.answer(rule.apply(images)), atol=1e-5)
    assert max(seen) <= 64


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


def test_a_crop_after_a_stretch_is_square(tmp_path: Path, labels: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_network(tmp_path / "net.onnx", sides=(16, 24))
    words = ["--labels", labels, "--preprocessing", "unit", "--resize", "stretch:32", "--crop", "16x24"]
    assert run_import(source, tmp_path, *words) == 2
    assert "only a square crop can follow a stretch" in capsys.readouterr().err


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
