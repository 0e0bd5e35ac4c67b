"""Rules for which training images are held out for validation. A recipe has one, so all its runs hold out the same."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.data.dataset import LabelledImages
from training.data.learnt_pictures import Digests, digests
from training.errors import DataError

Rows = tuple[NDArray[np.int64], NDArray[np.int64]]


@dataclass(frozen=True, slots=True)
class FirstHoldout:
    """The first ``images`` of the training set, as the CIFAR-10 notebook does."""

    images: int

    def rows(self, images: LabelledImages) -> Rows:
        """Indices (kept, held out) of a training set."""
        everything = np.arange(len(images), dtype=np.int64)
        return everything[self.images :], everything[: self.images]


@dataclass(frozen=True, slots=True)
class RandomHoldout:
    """A random ``share`` (0 to 1) drawn with ``seed``: the same rows that scikit-learn's ``train_test_split`` draws."""

    share: float
    seed: int

    def rows(self, images: LabelledImages) -> Rows:
        """Indices (kept, held out) of a training set."""
        held_out = int(np.ceil(self.share * len(images)))
        # The legacy generator gives exactly the permutation of the MNIST notebook's random_state=2.
        order = np.random.RandomState(self.seed).permutation(len(images))
        return order[held_out:].astype(np.int64), order[:held_out].astype(np.int64)


@dataclass(frozen=True, slots=True)
class DigestHoldout:
    """The pictures with the highest ``share`` (0 to 1) of all possible digests, and one at least of a class of several.

    The only picture of a class is kept, so that no class is left out of what is learnt. A picture stays on its side
    when others are added. The lowest digests are those of the test set, which is chosen by the same rule
    (:mod:`training.data.image_folder`).
    """

    share: float

    def rows(self, images: LabelledImages) -> Rows:
        """Indices (kept, held out) of a training set.

        Raises:
            DataError: each class has a single picture, so that none can be held out.
        """
        kept, held_out = lowest(~digests(images), images.classes, self.share)
        if len(held_out) == 0:
            raise DataError(
                "each class has a single picture to learn from, besides those for testing, so that none can be held "
                "out for validation: give at least one class another picture"
            )
        return kept, held_out


Holdout = FirstHoldout | RandomHoldout | DigestHoldout


def lowest(keys: Digests, classes: NDArray[np.int64], share: float) -> Rows:
    """Chooses the pictures whose keys are in the lowest ``share`` of all possible ones.

    Of two or more pictures of a class, at least one is chosen and one is not; the only one of a class is not chosen.

    Returns:
        Indices (others, chosen), in the order of the keys, so that classes are mixed.
    """
    chosen = keys < np.uint64(int(share * 2**64))
    for index in np.unique(classes):
        rows = np.flatnonzero(classes == index)
        chosen[rows[np.argmin(keys[rows])]] = True
        chosen[rows[np.argmax(keys[rows])]] = False
    order = np.argsort(keys, kind="stable")
    return order[~chosen[order]], order[chosen[order]]


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
    kept, held_out = holdout.rows(images)
    if len(kept) == 0 or len(held_out) == 0:
        raise DataError(f"{len(images)} training images are too few to learn from some and to validate on others")
    return images.take(kept), images.take(held_out)
