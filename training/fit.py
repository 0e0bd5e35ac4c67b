"""Training: from a recipe, a data set and a seed to a network with the weights that the recipe keeps.

Randomness comes from the seed alone: initial weights and dropout through Keras, order and augmentation through
:class:`~training.batches.TrainingBatches`. All of it is in the checkpoint or follows from (seed, epoch), so a run that
was killed continues after its last whole epoch and ends with the same weights as an unbroken run.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from training import devices, optimizers, precision
from training.architectures import ARCHITECTURES
from training.batches import TrainingBatches, as_network_input
from training.checkpoint_callback import Checkpointing
from training.data.dataset import DataSet, LabelledImages
from training.data.holdout import split
from training.errors import RecipeError, RunError
from training.event_log import EventLog
from training.initial_weights import initialise
from training.precision import Policy
from training.progress import Progress
from training.recipes.recipe import Recipe
from training.run_directory import Arrays, History, RunDirectory, State
from training.teacher import Teacher

_VALIDATION_BATCH = 500


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """The result of training.

    Attributes:
        network: with the weights that are kept.
        best_epoch: the epoch that they are from, counted from 1.
        history: one value an epoch, see :class:`~training.run_directory.State`.
        train: the images learnt from.
        validation: the images held out; None where nothing was.
        last: the network's weights after the last epoch.
    """

    network: keras.Sequential
    best_epoch: int
    history: History
    train: LabelledImages
    validation: LabelledImages | None
    last: Arrays


def run_identity(
    recipe: Recipe, data: DataSet, seed: int, teacher: Teacher | None = None, **others: str | int | None
) -> dict[str, Any]:
    """The settings that must be equal for one run to continue another.

    Args:
        recipe: the recipe to train with.
        data: the data set to learn from.
        seed: of all random numbers.
        teacher: the model that computes the targets; None takes the true classes.
        others: other settings that change the weights; None stands for the default, which is left out.
    """
    taught = {} if teacher is None else {"teacher": teacher.fingerprint}
    given = {name: value for name, value in others.items() if value is not None}
    said = {"recipe": recipe.to_json(), "data": data.fingerprint(), "labels": list(data.labels), "seed": seed}
    return said | taught | given


def fit(
    recipe: Recipe,
    data: DataSet,
    run: RunDirectory,
    *,
    seed: int,
    teacher: Teacher | None = None,
    tensorboard: Path | None = None,
    device_names: Sequence[str] | None = None,
    network: Callable[[], keras.Sequential] | None = None,
    policy: Policy = "float32",
    keep_epoch: int | None = None,
) -> Fitted:
    """Trains a network, or resumes a run from its checkpoint.

    Args:
        recipe: the recipe to train with.
        data: the data set to learn from; its test set is not used.
        run: the folder of the checkpoint; the run resumes from it where there is one.
        seed: of all random numbers.
        teacher: the model that computes the targets; None takes the true classes.
        tensorboard: where to write TensorBoard logs; None for none.
        device_names: see :func:`training.devices.strategy`.
        network: makes the float32 network with its first weights; None takes the recipe's architecture.
        policy: the precision of training.
        keep_epoch: hold nothing out, stop after this epoch of the recipe and keep its weights; counted from 1.

    Returns:
        The float32 network with the weights that the recipe keeps, or those of ``keep_epoch``.

    Raises:
        RunError: ``run`` holds a checkpoint of another run, or a damaged one.
        DataError: too little data for the recipe's validation split.
        RecipeError: training diverged.
    """
    train, validation = _parts(recipe, data, keep_epoch)
    state = run.load() or State()
    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    batches = TrainingBatches(
        train,
        classes=len(data.labels),
        batch_size=recipe.batch_size,
        augmentation=recipe.augmentation_in,
        seed=seed,
        teacher=teacher,
        epoch=state.epochs_done,
    )
    with devices.strategy(device_names).scope():
        plain = network() if network else ARCHITECTURES[recipe.architecture](data.input_shape, len(data.labels))
        trained = plain if policy == "float32" else precision.under(policy, plain)
        optimizer = optimizers.build(recipe, len(batches))
        trained.compile(
            # float16 gradients below 6e-8 would become zero: the loss is scaled up, and the gradients down again.
            optimizer=keras.optimizers.LossScaleOptimizer(optimizer) if policy == "mixed_float16" else optimizer,
            loss=keras.losses.CategoricalCrossentropy(label_smoothing=recipe.label_smoothing),
            metrics=["accuracy", keras.metrics.CategoricalCrossentropy(name="log_loss")],
            # XLA takes five to ten times as long for these networks' steps on a CPU.
            jit_compile=False,
        )
        trained.optimizer.build(trained.trainable_variables)
        if state.epochs_done:
            _restore(trained, state, run)
        elif network is None:
            initialise(trained, train)
    checkpointing = Checkpointing(run, state, keep_epoch, recipe.keeps)
    # Checkpointing comes before SwapEMAWeights, so that it sees the averaged weights when validation ends.
    callbacks: list[keras.callbacks.Callback] = [checkpointing]
    if recipe.ema_momentum is not None:
        callbacks.append(keras.callbacks.SwapEMAWeights())
    if tensorboard is not None:
        callbacks.append(EventLog(tensorboard))
    epochs = keep_epoch or recipe.epochs
    callbacks.append(Progress(epochs, state.epochs_done))
    if state.epochs_done >= epochs:
        print(f"{run.path}: all {epochs} epochs are done already (--fresh begins again)", flush=True)
    else:
        try:
            trained.fit(
                batches,
                epochs=epochs,
                initial_epoch=state.epochs_done,
                validation_data=validation and as_network_input(validation, len(data.labels)),
                validation_batch_size=_VALIDATION_BATCH,
                shuffle=False,
                callbacks=callbacks,
                verbose=0,
            )
        except tf.errors.ResourceExhaustedError as error:
            raise RunError("the device's memory ran out: use a smaller --size or another --backbone") from error
    if not state.best:
        raise RecipeError(
            f"training diverged: no epoch had a validation loss; the learning rate {recipe.learning_rate} is too high"
        )
    last = trained.get_weights()
    plain.set_weights(list(state.best))
    return Fitted(plain, state.best_epoch, state.history, train, validation, last)


def _parts(recipe: Recipe, data: DataSet, keep_epoch: int | None) -> tuple[LabelledImages, LabelledImages | None]:
    """(training images, validation images or None)."""
    if keep_epoch is not None:
        return data.train, None
    return split(data.train, recipe.holdout) if data.validation is None else (data.train, data.validation)


def _restore(network: keras.Sequential, state: State, run: RunDirectory) -> None:
    groups = (
        (network.variables, state.network),
        (network.optimizer.variables, state.optimizer),
        (network.weights, state.best if state.best else network.get_weights()),
    )
    for variables, values in groups:
        if [(tuple(variable.shape), variable.dtype) for variable in variables] != [
            (value.shape, value.dtype.name) for value in values
        ]:
            raise RunError(f"{run.checkpoint} holds the state of another network: train with --fresh")
    for variables, values in groups[:2]:
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
