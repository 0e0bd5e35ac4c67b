"""The commands end to end, on small real data."""

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import onnxruntime
import pytest
from PIL import Image

from contract import ModelMetadata
from service.inference import GpuPolicy, ModelRepository, Provider
from training.cli import main
from training.convert import Precision, convert
from training.data import sources
from training.data.dataset import DataSet, LabelledImages
from training.figures.captions import CAPTIONS
from training.onnx_classifier import OnnxClassifier

pytestmark = pytest.mark.slow

WriteCsv = Callable[[Path, LabelledImages, bool], Path]
CaptureOutput = pytest.CaptureFixture[str]
ROOT = Path(__file__).parents[2]


def _metadata(model: Path) -> ModelMetadata:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return ModelMetadata.from_props(session.get_modelmeta().custom_metadata_map)


@pytest.fixture(scope="module")
def train_mnist(
    shared_mnist_directory: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Callable[[], int]]:
    """A model repository, and a function that trains three epochs on 500 digits: not accurate, but real."""
    place = tmp_path_factory.mktemp("mnist")
    arguments = ["mnist", "--epochs", "3", "--data-dir", str(shared_mnist_directory), "--out", str(place / "models")]
    return place / "models", lambda: main([*arguments, "--run-dir", str(place / "run")])


@pytest.fixture(scope="module")
def mnist_model(train_mnist: tuple[Path, Callable[[], int]]) -> Path:
    """Its first version."""
    repository, train = train_mnist
    assert train() == 0
    return repository / "mnist" / "1" / "model.onnx"


def test_help_needs_no_tensorflow() -> None:
    code = "import sys, training.cli; sys.exit(any(name in sys.modules for name in ('tensorflow', 'keras', 'numpy')))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
    result = subprocess.run([sys.executable, "-m", "training", "--help"], cwd=ROOT, capture_output=True, check=True)
    assert b"submit models/mnist/2/model.onnx" in result.stdout


def test_a_version_is_complete_and_agrees_with_itself(mnist_model: Path) -> None:
    folder = mnist_model.parent
    files = {"model.onnx", "model.keras", "metrics.json", "MODEL_CARD.md", "figures"}
    assert {path.name for path in folder.iterdir()} == files
    metadata = _metadata(mnist_model)
    metrics = json.loads((folder / "metrics.json").read_text())
    card = (folder / "MODEL_CARD.md").read_text()
    assert "## To decide by" in card

    assert (metadata.name, metadata.version, metadata.polarity) == ("mnist", "1", "light-on-dark")
    assert metadata.evaluation.images == 250
    assert metadata.evaluation.accuracy > 0.6
    assert metadata.evaluation.accuracy == metrics["test"]["accuracy"] == metadata.uncalibrated.accuracy
    assert np.sum(metrics["test"]["confusion_matrix"]) == 250
    assert metadata.training["best_epoch"] == 1 + int(np.argmin(metrics["history"]["val_loss"]))
    assert len(metadata.golden) == 10
    assert f"{metadata.evaluation.accuracy:.2%} of 250 test images" in card
    assert "convoy train mnist --recipe notebook --epochs 3 --seed 0 --version 1" in card
    assert "LeCun" in card
    for name in CAPTIONS:
        with Image.open(folder / "figures" / f"{name}.png") as figure:
            assert min(figure.size) > 200
        assert f"figures/{name}.png" in card


@pytest.mark.parametrize("precision", [None, "float16", "int8"])
def test_the_last_feature_map_is_a_second_output_that_the_service_takes(
    precision: Precision | None,
    mnist_model: Path,
    mnist_data: DataSet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    root, name = mnist_model.parents[2], "mnist"
    if precision is not None:
        monkeypatch.setattr(sources, "load_for", lambda *_: mnist_data)
        convert(mnist_model, precision, None, tmp_path)
        root, name = tmp_path, f"mnist-{precision}"
    gpu = GpuPolicy(memory_limit_bytes=1 << 30, cuda_graphs=True)
    repository = ModelRepository(root, provider=Provider("cpu"), intra_op_threads=1, max_batch_size=None, gpu=gpu)
    loaded = repository.load(name, "1")
    assert loaded.metadata.features == (64, 6, 6)
    assert loaded.session.run(mnist_data.test.pixels[:3]).shape == (3, 10)
    session = onnxruntime.InferenceSession(root / name / "1" / "model.onnx", providers=["CPUExecutionProvider"])
    (features,) = session.run(["features"], {"image": mnist_data.test.pixels[:3]})
    assert (features.shape, features.dtype) == ((3, 64, 6, 6), np.float32)
    assert features.max() > 0


def test_evaluate_says_what_the_file_says(
    mnist_model: Path, shared_mnist_directory: Path, capsys: CaptureOutput
) -> None:
    metrics = json.loads((mnist_model.parent / "metrics.json").read_text())
    command = ["evaluate", str(mnist_model), "--data-dir", str(shared_mnist_directory)]
    capsys.readouterr()
    assert main([*command, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["decisions"]["interval"] == pytest.approx(said["accuracy_interval"])
    assert said.pop("decisions") == metrics["decisions"]
    assert said == metrics["test"]
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert f"accuracy                   {metrics['test']['accuracy']:.4f}" in printed
    assert "-> 9" in printed


def test_evaluate_takes_a_folder_of_pictures(
    mnist_model: Path, mnist_data: DataSet, tmp_path: Path, capsys: CaptureOutput
) -> None:
    """Users have dark ink on white paper in other sizes: the scores must equal those of the original digits."""
    for row, index in enumerate(mnist_data.test.classes):
        place = tmp_path / str(index)
        place.mkdir(exist_ok=True)
        digit = Image.fromarray(255 - mnist_data.test.pixels[row, ..., 0])
        digit.resize((112, 112), Image.Resampling.BICUBIC).save(place / f"{row}.png")
    capsys.readouterr()
    assert main(["evaluate", str(mnist_model), "--data-dir", str(tmp_path), "--part", "all", "--json"]) == 0
    measured = json.loads(capsys.readouterr().out)
    assert measured["images"] == 250
    assert measured["accuracy"] == pytest.approx(_metadata(mnist_model).evaluation.accuracy, abs=0.03)


def test_a_submission_scores_what_evaluate_says(
    mnist_model: Path, tmp_path: Path, mnist_data: DataSet, write_kaggle_csv: WriteCsv, capsys: CaptureOutput
) -> None:
    labelled = write_kaggle_csv(tmp_path / "train.csv", mnist_data.test, True)
    unlabelled = write_kaggle_csv(tmp_path / "test.csv", mnist_data.test, False)
    submission = tmp_path / "submission.csv"
    assert main(["submit", str(mnist_model), str(unlabelled), "--out", str(submission)]) == 0
    with submission.open() as file:
        rows = list(csv.DictReader(file))
    assert [row["ImageId"] for row in rows] == [str(number) for number in range(1, 251)]
    right = sum(int(row["Label"]) == truth for row, truth in zip(rows, mnist_data.test.classes, strict=True))
    capsys.readouterr()
    assert main(["evaluate", str(mnist_model), "--data-dir", str(labelled), "--part", "all", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["accuracy"] == right / 250 > 0.6


@pytest.mark.parametrize("kept", ["model.onnx", "test.csv"])
def test_a_submission_does_not_replace_what_it_is_made_from(tmp_path: Path, capsys: CaptureOutput, kept: str) -> None:
    for name in ("model.onnx", "test.csv"):
        (tmp_path / name).write_text("mine")
    (tmp_path / "link").symlink_to(kept)
    words = ["submit", str(tmp_path / "model.onnx"), str(tmp_path / "test.csv"), "--out", str(tmp_path / "link")]
    assert main(words) == 2
    assert f"{kept}, which would be lost" in capsys.readouterr().err


def test_a_finished_run_is_published_again_without_training(
    mnist_model: Path, train_mnist: tuple[Path, Callable[[], int]], capsys: CaptureOutput
) -> None:
    repository, train = train_mnist
    capsys.readouterr()
    assert train() == 0
    assert "epoch 1/3" not in capsys.readouterr().out
    first, second = _metadata(mnist_model), _metadata(repository / "mnist" / "2" / "model.onnx")
    assert [image.probabilities for image in first.golden] == [image.probabilities for image in second.golden]


def test_own_pictures_become_a_model_with_no_code(picture_folder: Path, tmp_path: Path, capsys: CaptureOutput) -> None:
    arguments = ["things", "--data-dir", str(picture_folder), "--size", "24", "--epochs", "2", "--licence", "CC0"]
    arguments += ["--folds", "1"]
    assert main([*arguments, "--out", str(tmp_path / "models"), "--run-dir", str(tmp_path / "run")]) == 0
    model = tmp_path / "models" / "things" / "1" / "model.onnx"
    metadata = _metadata(model)
    assert "warning: 6 validation pictures are too few to calibrate on" in capsys.readouterr().err
    card = (model.parent / "MODEL_CARD.md").read_text()
    assert "**Not calibrated**: the validation split has 6 pictures" in card
    assert "95 % interval: " in card
    assert metadata.temperature == 1
    assert "convoy train things --recipe best" in card
    pixels = np.random.default_rng(0).integers(0, 256, (5, 24, 24, 3), np.uint8)
    kept = keras.saving.load_model(model.parent / "model.keras")
    answered = OnnxClassifier.open(model).predict(pixels)
    np.testing.assert_allclose(kept.predict(pixels / np.float32(255), verbose=0), answered, atol=1e-5)
    assert metadata.labels == ("bird", "ship", "truck")
    assert metadata.input_shape == (24, 24, 3)
    assert metadata.data.licence == "CC0"
    capsys.readouterr()
    assert main(["evaluate", str(model), "--data-dir", str(picture_folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["accuracy"] == metadata.evaluation.accuracy
    assert main(["submit", str(model), "test.csv"]) == 2
    assert "a model of digits is needed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["cifar10", "--recipe", "worst"],
            "there is no recipe 'worst' for cifar10: there is notebook, best, accurate, compact",
        ),
        (["cifar10", "--size", "64"], "--size is for your own pictures; cifar10 has its own input"),
        (["mnist", "--skip-bad"], "--skip-bad is for your own pictures"),
        (["Flowers"], "'Flowers' cannot be a model's name"),
        (["flowers", "--folds", "0"], "--folds 0: 2 to 20 are possible"),
        (["flowers", "--folds", "99"], "--folds 99: 2 to 20 are possible"),
        (["flowers", "--start-from", "no.keras"], "--start-from no.keras: there is no such file"),
        (["flowers", "--licence", ""], "--licence: 1 to 4096 characters are possible"),
        (["cifar10", "--epochs", "0"], "--epochs 0: at least 1 is needed"),
        (["flowers", "--data-dir", ".", "--size", "4"], "--size 4: 8 to 2364 pixels are possible"),
        (["flowers", "--data-dir", ".", "--size", "2365"], "--size 2365: 8 to 2364 pixels are possible"),
        (["cifar10", "--data-dir", "."], "no CIFAR-10 in .: it must hold cifar-10-batches-py/ with data_batch_1"),
        (["mnist", "--data-dir", "."], "no MNIST in .: it must hold train-images-idx3-ubyte.gz and so on"),
        (["flowers", "--data-dir", "nowhere"], "nowhere is not a folder"),
        (["evaluate", "missing.onnx"], "missing.onnx cannot be read"),
    ],
)
def test_a_mistake_is_explained(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: CaptureOutput,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    assert capsys.readouterr().err.startswith(f"error: {message}")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["My Pictures"], "'My Pictures' cannot be a model's name"),
        (["pictures", "--version", "two"], "--version two: a whole number from 1 to 999999999"),
    ],
)
def test_what_could_not_be_published_is_not_trained(
    arguments: list[str], message: str, picture_folder: Path, tmp_path: Path, capsys: CaptureOutput
) -> None:
    options = ["--data-dir", str(picture_folder), "--run-dir", str(tmp_path / "run"), "--out", str(tmp_path / "models")]
    assert main([*arguments, *options]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_file_that_is_no_model_is_refused(tmp_path: Path, capsys: CaptureOutput) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"not a model")
    assert main(["evaluate", str(path)]) == 2
    assert f"{path} is not an ONNX model" in capsys.readouterr().err
