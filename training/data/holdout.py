"""Which training images are held out for validation. The rule is part of the recipe, so each run holds out the same."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.data.dataset import LabelledImages
from training.errors import DataError


@dataclass(frozen=True, slots=True)
class FirstHoldout:
    """The first ``images`` of the training set, as the CIFAR-10 notebook does."""

    images: int

    def rows(self, total: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Indices (kept, held out) of ``total`` images."""
        everything = np.arange(total, dtype=np.int64)
        return everything[self.images :], everything[: self.images]


@dataclass(frozen=True, slots=True)
class RandomHoldout:
    """A random ``share`` (0 to 1) drawn with ``seed``: the same rows that scikit-learn's ``train_test_split`` draws."""

    share: float
    seed: int

    def rows(self, total: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Indices (kept, held out) of ``total`` images."""
        held_out = int(np.ceil(self.share * total))
        # The legacy generator, because the MNIST notebook's random_state=2 means this very permutation.
        order = np.random.RandomState(self.seed).permutation(total)
        return order[held_out:].astype(np.int64), order[:held_out].astype(np.int64)


Holdout = FirstHoldout | RandomHoldout


def split(images: LabelledImages, holdout: Holdout) -> tuple[LabelledImages, LabelledImages]:
    """Splits a training set.

    Args:
        images: the whole training set.
        holdout: which of it to hold out.

    Returns:
        (to learn from, to validate on), disjoint.

    Raises:
        DataError: one of the two would be empty.
    """
    kept, held_out = holdout.rows(len(images))
    if len(kept) == 0 or len(held_out) == 0:
        raise DataError(f"{holdout} of {len(images)} training images leaves nothing to learn from or to validate on")
    return images.take(kept), images.take(held_out)
