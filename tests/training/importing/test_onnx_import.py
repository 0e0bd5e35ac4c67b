"""ONNX files of every form are imported with unchanged answers; facts that are missing must be stated by the user."""

import os
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
from bench.foreign_networks import write_labels, write_network
from tests.training.importing.onnx_files import RULES, imported, run_import
from training.cli import main
from training.importing import importer
from training.importing.onnx_source import open_onnx
from training.importing.preprocessing import Preprocessing
from training.importing.stated import Stated
from training.onnx_classifier import OnnxClassifier


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


def test_a_crop_after_a_stretch_is_square(tmp_path: Path, labels: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_network(tmp_path / "net.onnx", sides=(16, 24))
    words = ["--labels", labels, "--preprocessing", "unit", "--resize", "stretch:32", "--crop", "16x24"]
    assert run_import(source, tmp_path, *words) == 2
    assert "only a square crop can follow a stretch" in capsys.readouterr().err
