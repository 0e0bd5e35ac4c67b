import dataclasses
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from training import recipes
from training.data import sources
from training.data.dataset import DataSet
from training.data.holdout import RandomHoldout
from training.errors import RecipeError, RunError
from training.event_log import EventLog
from training.fit import fit, run_identity
from training.recipes.recipe import Kept, Recipe
from training.run_directory import RunDirectory, State

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
EPOCHS = 6


def _few_steps(data_set: str, name: str, epochs: int = 2) -> Recipe:
    recipe = recipes.find(data_set, name).with_epochs(epochs)
    return dataclasses.replace(recipe, holdout=RandomHoldout(0.1, seed=2), batch_size=64)


def _final_state(recipe: Recipe, data: DataSet, place: Path, seed: int) -> State:
    run = RunDirectory(place, run_identity(recipe, data, seed))
    fit(recipe, data, run, seed=seed)
    state = run.load()
    assert state is not None
    return state


def _assert_equal(first: State, second: State) -> None:
    for group in ("network", "optimizer", "best"):
        for ours, theirs in zip(getattr(first, group), getattr(second, group), strict=True):
            np.testing.assert_array_equal(ours, theirs)
    assert (first.best_epoch, first.best_loss) == (second.best_epoch, second.best_loss)


@pytest.mark.parametrize("name", ["notebook", "best"])
@pytest.mark.parametrize("data_set", ["cifar10", "mnist"])
def test_the_same_seed_gives_the_same_weights(
    data_set: str, name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    data: DataSet = request.getfixturevalue(f"{data_set}_data")
    recipe = _few_steps(data_set, name)
    first, second = (_final_state(recipe, data, tmp_path / place, seed=1) for place in ("first", "second"))
    _assert_equal(first, second)


def test_the_state_of_another_network_is_refused(mnist_data: DataSet, tmp_path: Path) -> None:
    recipe = _few_steps("mnist", "notebook")
    run = RunDirectory(tmp_path, run_identity(recipe, mnist_data, 0))
    weights = [np.zeros((2, 3), np.float32)]
    run.save(State(1, weights, weights, weights, 1, 0.5, {"loss": [1.0]}))
    with pytest.raises(RunError, match="holds the state of another network: train with --fresh"):
        fit(recipe, mnist_data, run, seed=0)


def test_another_seed_gives_other_weights(mnist_data: DataSet, tmp_path: Path) -> None:
    recipe = _few_steps("mnist", "notebook", epochs=1)
    first, second = (_final_state(recipe, mnist_data, tmp_path / str(seed), seed=seed) for seed in (1, 2))
    assert not np.array_equal(first.network[0], second.network[0])


def test_a_complete_run_says_that_it_learns_nothing_more(
    mnist_data: DataSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = _few_steps("mnist", "notebook", epochs=1)
    _final_state(recipe, mnist_data, tmp_path, seed=0)
    assert "already" not in capsys.readouterr().out
    _final_state(recipe, mnist_data, tmp_path, seed=0)
    assert capsys.readouterr().out == f"{tmp_path}: all 1 epochs are done already (--fresh begins again)\n"


def test_training_learns(mnist_data: DataSet, tmp_path: Path) -> None:
    state = _final_state(_few_steps("mnist", "notebook", epochs=5), mnist_data, tmp_path, seed=0)
    assert state.history["loss"][-1] < 0.6 * state.history["loss"][0]
    assert max(state.history["val_accuracy"]) > 0.7
    assert len(state.history["val_loss"]) == len(state.history["seconds"]) == 5


def test_the_best_weights_are_those_of_the_lowest_validation_loss(mnist_data: DataSet, tmp_path: Path) -> None:
    recipe = _few_steps("mnist", "best", epochs=3)
    run = RunDirectory(tmp_path, run_identity(recipe, mnist_data, 0))
    fitted = fit(recipe, mnist_data, run, seed=0)
    losses = fitted.history["val_loss"]
    assert fitted.best_epoch == 1 + int(np.argmin(losses))
    inputs = fitted.validation.pixels.astype(np.float32) / 255
    probabilities = fitted.network.predict(inputs, verbose=0)
    true = probabilities[np.arange(len(inputs)), fitted.validation.classes]
    assert -np.log(true).mean() == pytest.approx(min(losses), rel=1e-4)


@pytest.mark.parametrize(("keeps", "epoch"), [("best", 1), ("last", 2)])
def test_the_recipe_says_which_of_two_equal_epochs_is_kept(
    keeps: Kept, epoch: int, mnist_data: DataSet, tmp_path: Path
) -> None:
    recipe = dataclasses.replace(_few_steps("mnist", "notebook"), learning_rate=0.0, keeps=keeps)
    fitted = fit(recipe, mnist_data, RunDirectory(tmp_path, run_identity(recipe, mnist_data, 0)), seed=0)
    assert fitted.history["val_loss"][0] == fitted.history["val_loss"][1]
    assert fitted.best_epoch == epoch


def test_a_run_begun_before_recipes_said_what_they_keep_can_be_resumed(mnist_data: DataSet) -> None:
    recipe = recipes.find("mnist", "best")
    before, after = (run_identity(one, mnist_data, 0) for one in (recipe, dataclasses.replace(recipe, keeps="last")))
    assert "keeps" not in before["recipe"]
    assert after["recipe"] == before["recipe"] | {"keeps": "last"}


def test_a_run_that_diverges_is_an_error(mnist_data: DataSet, tmp_path: Path) -> None:
    recipe = dataclasses.replace(_few_steps("mnist", "notebook", epochs=1), learning_rate=float("inf"))
    with pytest.raises(RecipeError, match="training diverged"):
        fit(recipe, mnist_data, RunDirectory(tmp_path, run_identity(recipe, mnist_data, 0)), seed=0)


def test_tensorboard_logs_are_written_on_request(mnist_data: DataSet, tmp_path: Path) -> None:
    recipe = _few_steps("mnist", "notebook", epochs=2)
    run = RunDirectory(tmp_path / "run", run_identity(recipe, mnist_data, 0))
    fitted = fit(recipe, mnist_data, run, seed=0, tensorboard=tmp_path / "logs")
    (file,) = (tmp_path / "logs").glob("events.out.tfevents.*")
    records = tf.data.TFRecordDataset(str(file)).as_numpy_iterator()
    header, *epochs = [tf.compat.v1.Event.FromString(record) for record in records]
    assert header.file_version == "brain.Event:2"
    assert [event.step for event in epochs] == [1, 2]
    logged = [{value.tag: value.simple_value for value in event.summary.value} for event in epochs]
    assert [figures["loss"] for figures in logged] == pytest.approx(fitted.history["loss"])
    assert [figures["val_log_loss"] for figures in logged] == pytest.approx(fitted.history["val_loss"])


def test_logs_that_cannot_be_written_end_the_run_with_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "logs").touch()
    with pytest.raises(RunError, match=r"logs/events.out.tfevents.\d+ cannot be written \(File exists\)"):
        EventLog(tmp_path / "logs").on_train_begin()


def test_a_killed_run_ends_with_the_weights_it_would_have_had(mnist_directory: Path, tmp_path: Path) -> None:
    recipe = recipes.find("mnist", "best").with_epochs(EPOCHS)
    data = sources.load("mnist", mnist_directory, sources.OwnPictures())
    killed = tmp_path / "killed"
    command = [sys.executable, "-m", "training", "mnist", "--recipe", "best", "--epochs", str(EPOCHS)]
    command += ["--data-dir", str(mnist_directory), "--run-dir", str(killed), "--out", str(tmp_path / "models")]
    for epoch, number, status in ((1, signal.SIGTERM, 143), (2, signal.SIGKILL, -signal.SIGKILL)):
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            # The line is printed when the epoch's checkpoint is on disk.
            assert any(line.startswith(f"epoch {epoch}/") for line in child.stdout)
            os.kill(child.pid, number)
            said = child.communicate()[1].splitlines()
            assert child.returncode == status
            # Nothing else: no lines that TensorFlow writes when it is imported.
            told = ["", "stopped: the same command continues after the last whole epoch"]
            assert said == (told if status == 143 else [])
    left = RunDirectory(killed, run_identity(recipe, data, 0)).load()
    assert left is not None
    assert 2 <= left.epochs_done < EPOCHS
    assert not (tmp_path / "models").exists()

    resumed = _final_state(recipe, data, killed, seed=0)
    unbroken = _final_state(recipe, data, tmp_path / "unbroken", seed=0)
    assert resumed.epochs_done == EPOCHS
    _assert_equal(resumed, unbroken)
    assert resumed.history["val_loss"] == unbroken.history["val_loss"]


class _StoppedAfter(RunDirectory):
    """A run that is stopped as soon as its first epoch is saved."""

    def save(self, state: State) -> None:
        super().save(state)
        raise KeyboardInterrupt


def test_a_stopped_run_of_the_accurate_recipe_goes_on_to_the_same_weights(
    cifar10_data: DataSet, tmp_path: Path
) -> None:
    # The same layers and optimizer with fewer channels: normalisations, momentum and alternating flips are resumed too.
    recipe = dataclasses.replace(_few_steps("cifar10", "accurate"), architecture="airbench_small_cnn", batch_size=32)
    data = cifar10_data.limited(72)
    identity = run_identity(recipe, data, 0)
    with pytest.raises(KeyboardInterrupt):
        fit(recipe, data, _StoppedAfter(tmp_path / "stopped", identity), seed=0)
    resumed = _final_state(recipe, data, tmp_path / "stopped", seed=0)
    _assert_equal(resumed, _final_state(recipe, data, tmp_path / "unbroken", seed=0))
    whitening = resumed.network[0]
    assert whitening.shape == (2, 2, 3, 24)
    np.testing.assert_array_equal(whitening[..., :12], -whitening[..., 12:], "it stays as it was set")
