"""The metadata of the committed models is true."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from contract import GOLDEN_TOLERANCE, OPSET
from training.card import interval
from training.data.dataset import DataSet
from training.figures.captions import CAPTIONS
from training.onnx_classifier import OnnxClassifier

MODELS = Path(__file__).parents[2] / "models"
FILES = sorted(MODELS.glob("*/*/model.onnx"))
LEAST_ACCURACY = {
    ("cifar10", "1"): 0.72,
    ("cifar10", "2"): 0.80,
    ("cifar10", "3"): 0.94,
    ("cifar10", "4"): 0.915,
    ("mnist", "1"): 0.991,
    ("mnist", "2"): 0.9960,
    ("mnist", "3"): 0.9965,
}
MOST_CALIBRATION_ERROR = {
    ("cifar10", "2"): 0.010,
    ("cifar10", "3"): 0.012,
    ("cifar10", "4"): 0.009,
    ("mnist", "2"): 0.003,
    ("mnist", "3"): 0.0015,
}


def _named(path: Path) -> str:
    return "-".join(path.parts[-3:-1])


@pytest.fixture(params=FILES, ids=_named)
def path(request: pytest.FixtureRequest) -> Path:
    found: Path = request.param
    return found


def test_the_file_says_where_it_stands_and_how_good_it_is(path: Path) -> None:
    onnx.checker.check_model(onnx.load(path), full_check=True)
    assert onnx.load(path).opset_import[0].version == OPSET
    metadata = OnnxClassifier.open(path).metadata
    key = metadata.name, metadata.version
    assert key == path.parts[-3:-1]
    assert metadata.evaluation.images == 10_000
    assert metadata.evaluation.accuracy >= LEAST_ACCURACY[key]
    assert metadata.evaluation.expected_calibration_error <= MOST_CALIBRATION_ERROR.get(key, 1.0)
    assert metadata.evaluation.log_loss <= metadata.uncalibrated.log_loss * 1.001
    assert {image.label for image in metadata.golden} == set(metadata.labels)


def test_the_golden_images_answer_as_they_did(path: Path) -> None:
    classifier = OnnxClassifier.open(path)
    metadata = classifier.metadata
    pixels = np.stack(
        [np.frombuffer(image.pixels, np.uint8).reshape(metadata.input_shape) for image in metadata.golden]
    )
    expected = np.array([image.probabilities for image in metadata.golden])
    np.testing.assert_allclose(classifier.predict(pixels), expected, atol=GOLDEN_TOLERANCE)


def test_what_stands_beside_it_agrees(path: Path) -> None:
    metadata = OnnxClassifier.open(path).metadata
    metrics = json.loads((path.parent / "metrics.json").read_text())
    assert metrics["test"]["accuracy"] == metadata.evaluation.accuracy
    assert metrics["test"]["accuracy_interval"] == list(metadata.evaluation.accuracy_interval)
    assert metrics["temperature"] == metadata.temperature
    assert metrics["parity"]["largest_difference"] <= 1e-5
    card = (path.parent / "MODEL_CARD.md").read_text()
    assert f"Right on {metadata.evaluation.accuracy:.2%} of 10,000 test images (95 % interval: " in card
    assert f"| 95 % interval of the accuracy | {interval(metadata.evaluation)} |" in card
    assert {file.stem for file in (path.parent / "figures").iterdir()} == set(CAPTIONS)


def test_it_knows_real_test_images(path: Path, request: pytest.FixtureRequest) -> None:
    classifier = OnnxClassifier.open(path)
    data: DataSet = request.getfixturevalue(f"{classifier.metadata.name}_data")
    right = np.mean(classifier.predict(data.test.pixels).argmax(axis=1) == data.test.classes)
    assert right >= classifier.metadata.evaluation.accuracy - 0.15


def test_the_documentation_quotes_the_measured_figures(path: Path) -> None:
    metadata = OnnxClassifier.open(path).metadata
    score, raw = metadata.evaluation, metadata.uncalibrated
    row = (
        f"| `{metadata.name}` | {metadata.version} | `{metadata.training['recipe']['name']}` | {score.accuracy:.2%} "
        f"| {score.log_loss:.4f} | {score.expected_calibration_error:.2%} | {raw.expected_calibration_error:.2%} |"
    )
    assert row in (MODELS.parent / "docs" / "models.md").read_text()
