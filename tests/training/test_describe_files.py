"""``convoy describe``: the layers of any network, a version's figures without training, the user's own picture."""

import json
import os
import shutil
from pathlib import Path

import keras
import numpy as np
import onnx
import pytest
from keras import layers
from onnx import TensorProto, helper
from PIL import Image

from bench.foreign_networks import write_network
from service.api.page.figures import TITLES
from tests.process import ROOT
from training import scores
from training.cli import main
from training.data.dataset import LabelledImages
from training.figures.album import Shown, _confusion, _drawings
from training.figures.captions import CAPTIONS
from training.importing.keras_network import load_network
from training.keras_layers import keras_rows
from training.measurement import Measurement, uncalibrated
from training.onnx_classifier import OnnxClassifier
from training.onnx_layers import onnx_rows
from training.temperature import softmax

pytestmark = [
    pytest.mark.slow,
    # Keras converts its variables in a way that is deprecated in numpy.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

Output = pytest.CaptureFixture[str]
LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"


@pytest.mark.parametrize("name", ["model.onnx", "model.keras", "model.h5"])
def test_a_pipe_is_not_waited_for(name: str, tmp_path: Path, capsys: Output) -> None:
    os.mkfifo(tmp_path / name)
    assert main(["describe", str(tmp_path / name)]) == 2
    assert "is not a regular file" in capsys.readouterr().err


def test_a_version_says_what_it_is_and_what_it_costs(capsys: Output) -> None:
    assert main(["describe", str(ROOT / "models" / "cifar10" / "2")]) == 0
    printed = capsys.readouterr().out
    # Computed by hand from the architecture, as in tests/training/test_describe.py.
    assert "541,094" in printed
    assert "3,318,664" in printed
    assert "cifar10, version 2" in printed
    assert "83.50% (82.76% to 84.21%) of 10,000 images" in printed


def test_a_mirrored_view_costs_twice_as_much() -> None:
    rows, _ = onnx_rows(onnx.load(ROOT / "models" / "cifar10" / "3" / "model.onnx"))
    assert sum(row.multiply_adds or 0 for row in rows) == 236_345_920  # as in bench/reports/models.json


@pytest.mark.parametrize(
    ("name", "parameters", "multiply_adds"),
    [
        # 4.09 billion: as fvcore and the publications count ResNet-50 at 224 pixels; torchvision has 25,557,032
        # weights, and here are 53,120 means and variances of normalisations beside them.
        ("light_resnet50.onnx", 25_610_152, 4_089_184_256),
        ("light_squeezenet.onnx", 1_235_496, 349_151_936),  # torchvision, squeezenet1_1: 1,235,496 and 349 million
    ],
)
def test_foreign_networks_are_counted(name: str, parameters: int, multiply_adds: int) -> None:
    rows, _ = onnx_rows(onnx.load(LIGHT / name))
    assert sum(row.parameters for row in rows) == parameters
    assert sum(row.multiply_adds or 0 for row in rows) == multiply_adds


def test_keras_layers_are_counted_as_by_hand(tmp_path: Path) -> None:
    image = layers.Input((16, 20, 3))
    values = layers.Conv2D(8, 3, strides=2, padding="same")(image)
    values = layers.DepthwiseConv2D(3)(values)
    values = layers.Conv2D(6, 1, groups=2)(values)
    values = layers.SeparableConv2D(4, 3)(values)
    values = layers.Dense(5)(layers.Flatten()(layers.MaxPooling2D()(values)))
    keras.Model(image, values).save(tmp_path / "net.keras")
    rows, others = keras_rows(load_network(tmp_path / "net.keras"))
    # 8x10 places of 3x3x3x8; 6x8 of 3x3x8; 6x8 of 4x6; 4x6 of 3x3x6 + 6x4; 2x3x4 by 5
    assert [row.multiply_adds for row in rows] == [17280, 3456, 1152, 1872, 0, 120]
    assert sum(row.parameters for row in rows) == load_network(tmp_path / "net.keras").count_params()
    assert others == {"Flatten": 1}


def test_a_network_of_something_else_than_pictures_is_listed(tmp_path: Path, capsys: Output) -> None:
    nodes = [helper.make_node("MatMul", ["tokens", "weights"], ["out"]), helper.make_node("Mystery", ["out"], ["y"])]
    nodes[1].domain = "acme"
    graph = helper.make_graph(
        nodes,
        "text",
        [helper.make_tensor_value_info("tokens", TensorProto.FLOAT, ["N", "T", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [helper.make_tensor("weights", TensorProto.FLOAT, [4, 2], [0.0] * 8)],
    )
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid("acme", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets), tmp_path / "text.onnx")
    assert main(["describe", str(tmp_path / "text.onnx")]) == 0
    printed = capsys.readouterr().out
    assert "tokens float [N, T, 4]" in printed
    assert "1 Mystery" in printed
    assert "? of 1 layers: the file leaves shapes open" in printed


def test_figures_are_drawn_anew_without_training(tmp_path: Path, capsys: Output) -> None:
    version = tmp_path / "2"
    shutil.copytree(ROOT / "models" / "mnist" / "2", version)
    kept = (version / "figures" / "random_predictions.png").read_bytes()
    for name in CAPTIONS:
        if name != "random_predictions":
            (version / "figures" / f"{name}.png").unlink(missing_ok=True)
    before = (version / "model.onnx").read_bytes()
    assert main(["describe", str(version), "--figures"]) == 0
    printed = capsys.readouterr().out
    drawn = {path.stem for path in (version / "figures").iterdir()}
    assert drawn == {
        "learning_curves", "confusion_matrix", "first_kernels", "feature_maps", "random_predictions",
    }  # fmt: skip
    assert (version / "figures" / "random_predictions.png").read_bytes() == kept
    assert (version / "model.onnx").read_bytes() == before
    assert "some need the data set: --data-dir" in printed


def test_other_pictures_do_not_take_the_place_of_those_that_a_version_was_measured_on(
    tmp_path: Path, capsys: Output
) -> None:
    version = tmp_path / "2"
    shutil.copytree(ROOT / "models" / "mnist" / "2", version)
    before = {path.name: path.read_bytes() for path in (version / "figures").iterdir()}
    for label in ("0", "1"):
        (tmp_path / "others" / label).mkdir(parents=True)
        for shade in range(3):
            Image.new("L", (28, 28), 80 * shade + int(label)).save(tmp_path / "others" / label / f"{shade}.png")
    assert main(["describe", str(version), "--figures", "--data-dir", str(tmp_path / "others")]) == 2
    assert "2 are right, and were 99.62% of 10,000" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in (version / "figures").iterdir()} == before


def test_the_confusion_is_that_of_the_pictures_beside_it() -> None:
    file = ROOT / "models" / "mnist" / "2" / "model.onnx"
    said, classes = OnnxClassifier.open(file).metadata, np.array([1, 2])
    answers = np.eye(10, dtype=np.float32)[[1, 3]]
    counts = scores.confusion_matrix(answers, classes)
    images = LabelledImages(np.zeros((2, 28, 28, 1), np.uint8), classes)
    test = Measurement(said.labels, images, answers, scores.evaluate(answers, classes), counts)
    record = json.loads(file.with_name("metrics.json").read_text())
    np.testing.assert_array_equal(_confusion(Shown(said, record, b"", test=test)), counts)


@pytest.mark.parametrize(
    ("record", "drawn"),
    [
        ("{}", 0),
        ('{"history": [], "test": 3}', 0),
        ('{"history": {"loss": [1], "val_loss": [], "accuracy": [1], "val_accuracy": [1]}}', 0),
        ('{"test": {"confusion_matrix": [[1, 2], [3]]}}', 0),
        ("[]", None),
        ("{", None),
        ("[" * 100_000, None),
    ],
)
def test_a_record_that_is_short_or_damaged_is_no_traceback(
    record: str, drawn: int | None, tmp_path: Path, capsys: Output
) -> None:
    (tmp_path / "1").mkdir()
    shutil.copy(ROOT / "models" / "cifar10" / "1" / "model.onnx", tmp_path / "1" / "model.onnx")
    (tmp_path / "1" / "metrics.json").write_text(record)
    said = OnnxClassifier.open(tmp_path / "1" / "model.onnx").metadata
    if drawn is None:
        assert main(["describe", str(tmp_path / "1"), "--figures"]) == 2
        assert "metrics.json is damaged: it is not a JSON object" in capsys.readouterr().err
    else:
        album = _drawings(Shown(said, json.loads(record), b""), said.labels)
        assert len(album) == drawn


def test_answers_without_the_temperature_follow_from_those_with_it() -> None:
    logits = np.random.default_rng(0).normal(0, 4, (50, 6))
    classes = logits.argmax(axis=1)
    images = LabelledImages(np.zeros((50, 1, 1, 1), np.uint8), classes)
    plain, warm = (softmax(logits / temperature).astype(np.float32) for temperature in (1, 2.5))
    test = Measurement(
        tuple("abcdef"), images, warm, scores.evaluate(warm, classes), scores.confusion_matrix(warm, classes)
    )
    found = uncalibrated(test, 2.5)
    np.testing.assert_allclose(found.probabilities, plain, atol=1e-6)
    assert found.evaluation.log_loss == pytest.approx(scores.evaluate(plain, classes).log_loss, rel=1e-4)


def test_a_picture_of_ones_own_goes_through_the_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    monkeypatch.chdir(tmp_path)
    Image.linear_gradient("L").convert("RGB").resize((90, 60)).save("my cat.png")
    assert main(["describe", str(ROOT / "models" / "cifar10" / "2"), "--picture", "my cat.png"]) == 0
    assert {path.name for path in (tmp_path / "cifar10-2-my cat").iterdir()} == {
        "first_kernels.png",
        "feature_maps.png",
    }
    assert "% " in capsys.readouterr().out.replace(",", " ")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["foreign.onnx", "--picture", "x.png"], "does not say how a picture becomes its input; `convoy import`"),
        (["foreign.onnx", "--figures"], "does not say how a picture becomes its input; `convoy import`"),
        (["net.keras", "--figures"], "figures are drawn from exported files"),
        (["nothing"], "nothing is no file or folder; cifar10 and mnist are known by name"),
        (["cifar10", "--figures"], "say a version, such as models/cifar10/2"),
        (["models"], "models holds versions; say which: models/1"),
        (["labels.txt"], ".onnx, .keras and .h5 files can be described"),
        (["broken.onnx"], "broken.onnx is not an ONNX file"),
        (["net.keras"], "net.keras is not a .keras file"),
    ],
)
def test_what_cannot_be_described_is_explained(
    words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    monkeypatch.chdir(tmp_path)
    write_network(tmp_path / "foreign.onnx")
    for name in ("net.keras", "labels.txt", "broken.onnx"):
        (tmp_path / name).write_text("x")
    (tmp_path / "models" / "1").mkdir(parents=True)
    write_network(tmp_path / "models" / "1" / "model.onnx")
    assert main(["describe", *words]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_figure_has_the_same_caption_on_the_card_and_on_the_page() -> None:
    assert {name: CAPTIONS.get(name) for name in TITLES} == TITLES
