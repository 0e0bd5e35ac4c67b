"""Transfer learning in two phases: first the new head alone, then head and backbone at a lower learning rate.

::

    backbone, frozen ── head learns at the recipe's rate ──> its last weights ── all learns at a tenth ──> kept epoch

A head with random weights would send large gradients through the pretrained backbone and destroy what it has learnt
(Keras' guide to transfer learning; Kumar et al., 2022, arXiv 2202.10054). Each phase has its own checkpoint, so a
killed phase can be resumed.
"""

import dataclasses
from pathlib import Path
from typing import Any, Final

import keras

from training.backbone import Backbone
from training.data.dataset import DataSet
from training.fit import Fitted, fit, run_identity
from training.recipes.recipe import Recipe
from training.run_directory import RunDirectory
from training.teacher import Teacher

_FROZEN_SHARE: Final = 0.4
_UNFROZEN_RATE: Final = 0.1


def phases(recipe: Recipe) -> tuple[Recipe, Recipe | None]:
    """The recipe of the frozen backbone and that of the unfrozen one; None where there is only one epoch."""
    frozen = max(1, round(_FROZEN_SHARE * recipe.epochs))
    first = recipe.with_epochs(frozen)
    if frozen == recipe.epochs:
        return first, None
    second = recipe.with_epochs(recipe.epochs - frozen)
    return first, dataclasses.replace(second, learning_rate=recipe.learning_rate * _UNFROZEN_RATE)


def fit_backbone(
    recipe: Recipe,
    data: DataSet,
    place: Path,
    *,
    backbone: Backbone,
    seed: int,
    teacher: Teacher | None = None,
    fresh: bool = False,
    keep_epoch: int | None = None,
    identity: dict[str, Any],
    **options: Any,
) -> Fitted:
    """Trains both phases, or resumes the one that was interrupted.

    Args:
        recipe: of both phases together.
        data: the data set to learn from.
        place: the folder in which each phase has its run directory.
        backbone: the pretrained network.
        seed: of all random numbers.
        teacher: the model that computes the targets; None takes the true classes.
        fresh: delete existing checkpoints and begin again.
        keep_epoch: as in :func:`training.fit.fit`, counted over both phases.
        identity: other settings that must be equal for one run to continue another.
        options: of :func:`training.fit.fit`.

    Returns:
        As :func:`training.fit.fit`, with the history of both phases.
    """
    first, second = phases(recipe)
    last_frozen = first.epochs if keep_epoch is None else min(keep_epoch, first.epochs)

    def run(phase: str, part: Recipe) -> RunDirectory:
        said = run_identity(part, data, seed, teacher, phase=phase, **backbone.identity(), **identity)
        directory = RunDirectory(place / phase, said)
        if fresh:
            directory.discard()
        return directory

    def unfrozen() -> keras.Sequential:
        network = backbone.classifier(len(data.labels), frozen=False)
        network.set_weights(list(frozen.last))
        return network

    options |= {"seed": seed, "teacher": teacher}
    frozen = fit(
        first,
        data,
        run("frozen", first),
        network=lambda: backbone.classifier(len(data.labels), frozen=True),
        keep_epoch=None if keep_epoch is None else last_frozen,
        **options,
    )
    if second is None or (keep_epoch is not None and keep_epoch <= first.epochs):
        return frozen
    tuned = fit(
        second,
        data,
        run("unfrozen", second),
        network=unfrozen,
        keep_epoch=None if keep_epoch is None else keep_epoch - first.epochs,
        **options,
    )
    return joined(recipe, frozen, tuned)


def joined(recipe: Recipe, frozen: Fitted, tuned: Fitted) -> Fitted:
    """Both phases as one training.

    Args:
        recipe: of both phases together.
        frozen: the result of the first phase.
        tuned: the result of the second phase.

    Returns:
        The history of both, the last weights of the second, and the network of the phase whose epoch is kept: the
        second, unless the recipe keeps the least validation loss and the first had it.
    """
    history = {name: frozen.history[name] + values for name, values in tuned.history.items()}
    chooses = recipe.keeps == "best" and tuned.validation is not None
    if chooses and min(frozen.history["val_loss"]) < min(tuned.history["val_loss"]):
        return dataclasses.replace(frozen, history=history, last=tuned.last)
    return dataclasses.replace(tuned, history=history, best_epoch=phases(recipe)[0].epochs + tuned.best_epoch)
