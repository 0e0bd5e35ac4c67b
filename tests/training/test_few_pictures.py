"""Few pictures: cross-validation instead of one split, and trials on a few of many pictures (--limit)."""

import contextlib
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import onnx
import pytest
from PIL import Image

from contract import wilson_interval
from training import recipes
from training.cli import main
from training.cross_validation import folds_for, obstacle, stratified
from training.data.dataset import DataSet, LabelledImages
from training.errors import DataError, RecipeError
from training.onnx_classifier import OnnxClassifier

pytestmark = pytest.mark.slow

BEST = recipes.find("own", "best")
Output = pytest.CaptureFixture[str]


def data_of(counts: list[int], like: DataSet, validation: bool = False) -> DataSet:
    classes = np.repeat(np.arange(len(counts)), counts)
    images = LabelledImages(np.random.default_rng(0).integers(0, 256, (len(classes), 4, 4, 3), np.uint8), classes)
    labels = tuple(f"c{index}" for index in range(len(counts)))
    return replace(like, labels=labels, train=images, test=images, validation=images if validation else None)


@pytest.mark.parametrize(
    ("counts", "folds"),
    [
        ([600, 600], 1),  # about 120 are held out
        ([400, 400], 5),  # only about 80 would be held out
        ([29, 1500], 5),  # one class has few
        ([30, 1500], 1),
        ([10, 5000], 1),  # too many for six trainings
        ([2, 2], 1),  # fewer than folds
    ],
)
def test_the_rule_of_cross_validation(counts: list[int], folds: int, cifar10_data: DataSet) -> None:
    assert folds_for(data_of(counts, cifar10_data), BEST, None) == folds


def test_few_pictures_that_are_not_cross_validated_have_a_reason(cifar10_data: DataSet) -> None:
    assert obstacle(data_of([2, 2], cifar10_data), BEST) == "there are 4 pictures to learn from, and 5 are needed"
    assert "more than 2,000" in str(obstacle(data_of([10, 5000], cifar10_data), BEST))
    assert "averages weights" in str(obstacle(data_of([20, 20], cifar10_data), replace(BEST, ema_momentum=0.9)))
    assert obstacle(data_of([20, 20], cifar10_data), BEST) is None


def test_what_is_asked_for_is_done_or_refused(cifar10_data: DataSet) -> None:
    few = data_of([20, 20], cifar10_data)
    assert folds_for(few, BEST, 1) == 1
    assert folds_for(few, BEST, 3) == 3
    assert folds_for(data_of([20, 20], cifar10_data, validation=True), BEST, None) == 1
    with pytest.raises(RecipeError, match="has a validation set of its own"):
        folds_for(data_of([20, 20], cifar10_data, validation=True), BEST, 5)
    with pytest.raises(RecipeError, match="there are 4 pictures to learn from"):
        folds_for(data_of([2, 2], cifar10_data), BEST, 5)
    with pytest.raises(RecipeError, match="each class has a single picture"):
        folds_for(data_of([1, 1], cifar10_data), BEST, 2)
    with pytest.raises(RecipeError, match="averages weights"):
        folds_for(few, replace(BEST, ema_momentum=0.9), 5)


def test_classes_of_one_picture_are_not_cross_validated(cifar10_data: DataSet) -> None:
    with pytest.raises(DataError, match="each class has a single picture to learn from"):
        folds_for(data_of([1] * 8, cifar10_data), BEST, None)


def test_a_limit_that_leaves_one_picture_a_class_is_too_low(cifar10_data: DataSet) -> None:
    many = data_of([1] * 400, cifar10_data)
    many = replace(many, train=many.train.followed_by(many.train))
    with pytest.raises(DataError, match="--limit 20: that is too few for 400 classes"):
        many.limited(20)


def test_folds_hold_out_each_picture_once_and_each_class_equally() -> None:
    classes = np.repeat([0, 1, 2], [23, 7, 51])
    held_out = stratified(classes, 5)
    assert sorted(np.concatenate(held_out).tolist()) == list(range(81))
    for label, count in ((0, 23), (1, 7), (2, 51)):
        shares = [int(np.sum(classes[rows] == label)) for rows in held_out]
        assert max(shares) - min(shares) <= 1
        assert sum(shares) == count


class Trial(NamedTuple):
    """A trial on 20 pictures (--limit) with cross-validation and mixed precision, which is slow on a CPU."""

    folder: Path
    run: Path
    printed: str


@pytest.fixture(scope="module")
def trial(cifar10_data: DataSet, tmp_path_factory: pytest.TempPathFactory) -> Trial:
    place = tmp_path_factory.mktemp("trial")
    for index, label in enumerate(("frog", "ship")):
        (place / "things" / label).mkdir(parents=True)
        for row in range(20):
            Image.fromarray(cifar10_data.train.pixels[20 * index + row]).save(place / "things" / label / f"{row}.png")
    words = ["train", "things", "--data-dir", str(place / "things"), "--recipe", "notebook", "--epochs", "1"]
    words += ["--limit", "20", "--folds", "2", "--precision", "mixed_float16", "--size", "16"]
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert main([*words, "--out", str(place / "models"), "--run-dir", str(place / "run")]) == 0
    return Trial(place / "models" / "things" / "1", place / "run", out.getvalue())


def test_a_trial_goes_all_the_way_with_few_pictures(trial: Trial) -> None:
    said = OnnxClassifier.open(trial.folder / "model.onnx").metadata
    assert said.evaluation is not None
    assert 2 <= said.evaluation.images <= 10  # about a tenth of 40
    assert said.training["training_images"] == 20  # of the others
    card = (trial.folder / "MODEL_CARD.md").read_text()
    assert "A trial with at most 20 pictures of each set (--limit): its figures say nothing of the model." in card
    assert "--limit 20" in card


def test_cross_validation_says_what_it_measured(trial: Trial) -> None:
    record = json.loads((trial.folder / "metrics.json").read_text())
    crossed = record["cross_validation"]
    assert "validation" not in record
    assert (crossed["folds"], crossed["images"]) == (2, 20)
    assert crossed["accuracy_interval"] == list(wilson_interval(crossed["accuracy"], 20))
    assert crossed["accuracy"] == pytest.approx(np.mean(crossed["fold_accuracies"]))
    assert f"cross-validation: {crossed['accuracy']:.2%}" in trial.printed
    said = OnnxClassifier.open(trial.folder / "model.onnx").metadata
    assert (said.training["validation_images"], said.conformal, said.familiarity) == (0, None, None)
    card = (trial.folder / "MODEL_CARD.md").read_text()
    assert "cross-validation, 2 folds" in card
    assert "20 images to learn from, all of them" in card
    assert "not of the published network" in card
    assert "--folds 2" in card
    assert "at its best validation loss" not in card
    parts = {path.parent.name for path in trial.run.glob("*/checkpoint.npz")}
    assert parts == {"fold-1", "fold-2", "all"}  # each can be resumed


def test_too_few_for_a_trial_are_refused(shared_mnist_directory: Path, capsys: Output) -> None:
    assert main(["train", "mnist", "--limit", "5", "--data-dir", str(shared_mnist_directory)]) == 2
    assert "--limit 5: at least 20 pictures are needed" in capsys.readouterr().err


def test_what_learnt_in_mixed_precision_computes_in_float32(trial: Trial) -> None:
    model = onnx.load(trial.folder / "model.onnx")
    assert onnx.TensorProto.FLOAT16 not in {tensor.data_type for tensor in model.graph.initializer}
    classifier = OnnxClassifier.open(trial.folder / "model.onnx")
    assert classifier.metadata.training["precision"] == "mixed_float16"
    kept = keras.saving.load_model(trial.folder / "model.keras")
    assert {layer.compute_dtype for layer in kept.layers} == {"float32"}
    assert not kept.compiled  # so the file holds no optimizer state, which would be two thirds of it
    pixels = np.random.default_rng(0).integers(0, 256, (6, 16, 16, 3), np.uint8)
    expected = kept.predict(pixels / np.float32(255), verbose=0)
    np.testing.assert_allclose(classifier.predict(pixels), expected, atol=1e-5)
