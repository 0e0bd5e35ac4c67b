"""Rules for which training images are held out for validation. A recipe has one, so all its runs hold out the same."""

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
        # The legacy generator gives exactly the permutation of the MNIST notebook's random_state=2.
        order = np.random.RandomState(self.seed).permutation(total)
        return order[held_out:].astype(np.int64), order[:held_out].astype(np.int64)


Holdout = FirstHoldout | RandomHoldout


def split(images: LabelledImages, holdout: Holdout) -> tuple[LabelledImages, LabelledImages]:
    """Splits a training set.

    Args:
        images: the whole training set.
        holdout: the rule.

    Returns:
        (training images, validation images), disjoint.

    Raises:
        DataError: one of the two would be empty.
    """
    kept, held_out = holdout.rows(len(images))
    if len(kept) == 0 or len(held_out) == 0:
        raise DataError(f"{holdout} of {len(images)} training images leaves nothing to learn from or to validate on")
    return images.take(kept), images.take(held_out)
