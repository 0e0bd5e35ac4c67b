from pathlib import Path

import numpy as np
import pytest

from training.batches import TrainingBatches
from training.data.dataset import DataSet
from training.errors import ModelFileError
from training.fit import run_identity
from training.onnx_classifier import OnnxClassifier
from training.recipes import find
from training.teacher import Teacher

MODEL = Path(__file__).parents[2] / "models" / "cifar10" / "2" / "model.onnx"


def test_the_targets_are_mostly_the_teachers_answers_to_the_changed_pictures(cifar10_data: DataSet) -> None:
    recipe = find("cifar10", "compact")
    batches = TrainingBatches(
        cifar10_data.train,
        classes=10,
        batch_size=40,
        augmentation=recipe.augmentation_in,
        seed=0,
        teacher=Teacher(MODEL, cifar10_data),
    )
    pictures, targets = batches[0]
    answers = OnnxClassifier.open(MODEL).predict(np.rint(pictures * 255).astype(np.uint8))
    rest = targets - 0.9 * answers
    np.testing.assert_allclose(targets.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(np.sort(rest, axis=1)[:, -1], 0.1, atol=1e-5)
    order = np.random.default_rng((0, 0)).permutation(len(cifar10_data.train))[:40]
    np.testing.assert_array_equal(rest.argmax(axis=1), cifar10_data.train.classes[order])


def test_a_run_with_a_teacher_is_no_continuation_of_one_without(cifar10_data: DataSet) -> None:
    recipe, teacher = find("cifar10", "compact"), Teacher(MODEL, cifar10_data)
    assert run_identity(recipe, cifar10_data, 0) != run_identity(recipe, cifar10_data, 0, teacher)


def test_a_model_of_other_classes_cannot_teach(mnist_data: DataSet) -> None:
    with pytest.raises(ModelFileError, match=r"cannot teach mnist: it knows airplane"):
        Teacher(MODEL, mnist_data)
