"""``--start-from``: training that begins with the weights of a saved network."""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from training.card import HowMade
from training.continued import held_apart
from training.data.dataset import DataSet, LabelledImages
from training.data.holdout import split
from training.data.learnt_pictures import LearntPictures
from training.errors import DataError, ModelFileError, RecipeError, RunError
from training.initial_weights import KeptWeights
from training.learning import learn
from training.recipes import find
from training.training_job import TrainingJob

MODELS = Path(__file__).parents[2] / "models"


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> TrainingJob:
    place = tmp_path_factory.mktemp("run")
    recipe = replace(find("cifar10", "compact").for_trial().with_epochs(1), learning_rate=1e-9, weight_decay=0.0)
    return TrainingJob("cifar10", "9", recipe, 0, place / "models", HowMade("convoy train", 1), place / "run")


def test_a_run_begins_with_the_kept_weights(cifar10_data: DataSet, job: TrainingJob) -> None:
    kept = KeptWeights.read(MODELS / "cifar10" / "4" / "model.keras")
    learnt = learn(replace(job, start_from=kept), cifar10_data)
    trained = keras.Sequential.get_weights(learnt.fitted.network)
    places = zip(learnt.fitted.network.weights, trained, kept.weights, strict=True)
    # Means and variances of normalisations change with the pictures, for any learning rate.
    learnable = [(ours, theirs) for variable, ours, theirs in places if "moving" not in variable.name]
    assert len(learnable) > 10
    for ours, theirs in learnable:
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_a_run_from_kept_weights_is_no_continuation_of_one_that_began_anew(
    cifar10_data: DataSet, job: TrainingJob, tmp_path: Path
) -> None:
    kept = KeptWeights.read(MODELS / "cifar10" / "4" / "model.keras")
    learn(replace(job, run_directory=tmp_path), cifar10_data)
    with pytest.raises(RunError, match="first weights"):
        learn(replace(job, run_directory=tmp_path, start_from=kept), cifar10_data)


def test_weights_of_another_architecture_are_refused(cifar10_data: DataSet, job: TrainingJob, tmp_path: Path) -> None:
    other = KeptWeights.read(MODELS / "cifar10" / "3" / "model.keras")
    with pytest.raises(ModelFileError, match="another network than the recipe trains"):
        learn(replace(job, run_directory=tmp_path, start_from=other), cifar10_data)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"nowhere\.keras: there is no such file"):
        KeptWeights.read(tmp_path / "nowhere.keras")


def test_weights_that_have_seen_the_pictures_are_not_cross_validated(job: TrainingJob) -> None:
    kept = KeptWeights(Path("model.keras"), (), "")
    with pytest.raises(RecipeError, match="--folds 1"):
        replace(job, start_from=kept, folds=5)


def test_pictures_that_the_weights_learnt_from_are_not_held_out(cifar10_data: DataSet) -> None:
    own, recipe = replace(cifar10_data, is_own=True), find("own", "best")
    learnt = LearntPictures.of(cifar10_data.train.take(slice(150)).followed_by(cifar10_data.test.take(slice(60))))
    apart = held_apart(own, recipe.holdout, Path("model.keras"), learnt)
    assert apart.validation is not None
    assert not learnt.among(apart.validation).any()
    assert not learnt.among(apart.test).any()
    assert len(apart.test) == 20
    assert len(apart.train) + len(apart.validation) == 160
    everything = LearntPictures.of(LabelledImages(cifar10_data.test.pixels, cifar10_data.test.classes), learnt)
    with pytest.raises(DataError, match="learnt from all 80 test pictures"):
        held_apart(own, recipe.holdout, Path("model.keras"), everything)


def test_what_the_weights_learnt_of_the_validation_split_is_replaced_by_new_pictures(cifar10_data: DataSet) -> None:
    own, recipe = replace(cifar10_data, is_own=True), find("own", "best")
    _, usual = split(own.train, recipe.holdout)
    known = own.train.take(slice(100)).followed_by(usual)
    apart = held_apart(own, recipe.holdout, Path("model.keras"), LearntPictures.of(known))
    assert apart.validation is not None
    assert len(apart.validation) == len(usual)
    assert not LearntPictures.of(known).among(apart.validation).any()
    assert not LearntPictures.of(apart.train).among(apart.validation).any()
    with pytest.raises(DataError, match="none is left to validate on"):
        held_apart(own, recipe.holdout, Path("model.keras"), LearntPictures.of(own.train))


def test_the_only_picture_of_a_class_that_the_weights_do_not_know_is_learnt_from(cifar10_data: DataSet) -> None:
    recipe, pixels = find("own", "best"), cifar10_data.train.pixels[:7]
    own = replace(cifar10_data, is_own=True, train=LabelledImages(pixels, np.array([0, 0, 0, 0, 0, 0, 1])))
    known = LearntPictures.of(own.train.take(slice(6)))
    with pytest.raises(DataError, match="but the only ones of their classes, so that none is left to validate on"):
        held_apart(own, recipe.holdout, Path("model.keras"), known)
