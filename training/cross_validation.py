"""Cross-validation: where pictures are few, each is answered by a network that learnt from the others.

::

    pictures to learn from ─┬─ fold 1: learn from 4/5, answer the rest ─┐
                            ├─ ...                                      ├─> accuracy, temperature
                            ├─ fold 5                                  ─┘
                            └─ all of them ───────────────────────────────> the published network

With few pictures, one validation split would measure on only a handful of them, and the network could not learn from
those. Every network learns for all the recipe's epochs and keeps its last weights, so the pictures that measure it
influence no choice. The test set is not used. The temperature is fitted on the answers of all folds and used for the
network that learnt from all pictures, as in scikit-learn's ``CalibratedClassifierCV(ensemble=False)``.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from contract import Evaluation
from training import scores
from training.calibrate import logits_of
from training.data.dataset import DataSet
from training.errors import RecipeError
from training.fit import Fitted
from training.recipes.recipe import Recipe
from training.run_directory import History
from training.temperature import Logits, softmax

FOLDS: Final = 5
LEAST_OF_CLASS: Final = 30
"""One split is not enough where a class has fewer pictures to learn from, or the split has fewer than 100."""
LEAST_HELD_OUT: Final = 100
MOST_IMAGES: Final = 2000
"""With more pictures, the random error of one split is small enough, and six trainings cost too much."""

FitFold = Callable[[DataSet, str], Fitted]
"""Trains on a data set with its own validation set; the text names a sub-folder of the run directory."""


@dataclass(frozen=True, slots=True, eq=False)
class CrossValidated:
    """The measurements over all folds.

    Attributes:
        folds: the number of folds.
        logits: float64 [N, K]; those of each picture are from the network that did not learn from it.
        classes: the true classes, [N].
        fold_accuracies: the accuracy on each fold.
        history: the mean of the folds' figures, one value per epoch.
    """

    folds: int
    logits: Logits
    classes: NDArray[np.int64]
    fold_accuracies: tuple[float, ...]
    history: History

    def evaluation(self, temperature: float) -> Evaluation:
        """The scores of all answers together, over all folds."""
        return scores.evaluate(softmax(self.logits / temperature).astype(np.float32), self.classes)

    def to_json(self, temperature: float) -> dict[str, Any]:
        """Plain JSON values."""
        score = self.evaluation(temperature)
        return {
            "folds": self.folds,
            **asdict(score),
            "accuracy_interval": list(score.accuracy_interval),
            "fold_accuracies": list(self.fold_accuracies),
        }


def folds_for(data: DataSet, recipe: Recipe, asked: int | None) -> int:
    """The number of folds; 1 means one split.

    Args:
        data: the data set to learn from.
        recipe: the recipe to train with.
        asked: the value of ``--folds``, at least 1. With None, cross-validation is used where pictures are few
            (:func:`are_few`) and nothing prevents it (:func:`obstacle`).

    Raises:
        RecipeError: this number of folds is not possible.
        DataError: each class has a single picture.
    """
    if asked is None:
        return FOLDS if are_few(data, recipe) and obstacle(data, recipe) is None else 1
    if asked == 1:
        return 1
    if data.validation is not None:
        raise RecipeError(f"--folds {asked}: {data.name} has a validation set of its own; leave --folds out")
    if recipe.ema_momentum is not None:
        raise RecipeError(f"--folds {asked}: recipe {recipe.name} averages weights, which needs one split")
    if len(data.train) < asked:
        raise RecipeError(f"--folds {asked}: there are {len(data.train)} pictures to learn from")
    if np.bincount(data.train.classes).max() == 1:
        raise RecipeError(f"--folds {asked}: each class has a single picture to learn from")
    return asked


def are_few(data: DataSet, recipe: Recipe) -> bool:
    """Whether one split is not enough: a class has fewer than 30 pictures to learn from, or the split fewer than 100.

    Never with a validation set of its own.

    Raises:
        DataError: each class has a single picture.
    """
    if data.validation is not None:
        return False
    held_out = recipe.holdout.rows(data.train)[1]
    counts = np.bincount(data.train.classes, minlength=len(data.labels))
    return bool(counts.min() < LEAST_OF_CLASS) or len(held_out) < LEAST_HELD_OUT


def obstacle(data: DataSet, recipe: Recipe) -> str | None:
    """Why pictures are not cross-validated without being asked, however few a class has; None where nothing is."""
    if recipe.ema_momentum is not None:
        return f"recipe {recipe.name} averages weights, which needs one split"
    if len(data.train) < FOLDS:
        return f"there are {len(data.train)} pictures to learn from, and {FOLDS} are needed"
    if len(data.train) > MOST_IMAGES:
        return f"there are more than {MOST_IMAGES:,} pictures to learn from"
    return None


def stratified(classes: NDArray[np.int64], folds: int) -> list[NDArray[np.int64]]:
    """The rows that each fold holds out; every class is spread over the folds as evenly as possible."""
    rng = np.random.default_rng(0)
    mixed = rng.permutation(len(classes))
    by_class = mixed[np.argsort(classes[mixed], kind="stable")]
    return [np.sort(by_class[fold::folds]) for fold in range(folds)]


def cross_validate(data: DataSet, folds: int, fit_fold: FitFold, *, mirrored_view: bool) -> CrossValidated:
    """Trains one network for each fold, and computes its logits for the pictures of that fold.

    Args:
        data: the data set to learn from; its test set is not used.
        folds: the number of folds.
        fit_fold: trains one network.
        mirrored_view: answer from the mean logits of each picture and its mirror image.
    """
    everything = np.arange(len(data.train))
    logits = np.zeros((len(data.train), len(data.labels)))
    accuracies, histories = [], []
    for number, held_out in enumerate(stratified(data.train.classes, folds), 1):
        print(f"fold {number} of {folds}: {len(held_out)} of {len(data.train)} pictures are held out", flush=True)
        validation = data.train.take(held_out)
        part = replace(data, train=data.train.take(np.setdiff1d(everything, held_out)), validation=validation)
        fitted = fit_fold(part, f"fold-{number}")
        fitted.network.set_weights(list(fitted.last))
        logits[held_out] = logits_of(fitted.network, validation, mirrored_view=mirrored_view)
        accuracies.append(float(np.mean(logits[held_out].argmax(axis=1) == validation.classes)))
        histories.append(fitted.history)
    history = {name: np.mean([one[name] for one in histories], axis=0).tolist() for name in histories[0]}
    return CrossValidated(folds, logits, data.train.classes, tuple(accuracies), history)
