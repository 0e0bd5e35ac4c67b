import numpy as np
import pytest

from training.data.dataset import DataSet
from training.data.holdout import FirstHoldout, RandomHoldout, split
from training.errors import DataError


def test_the_first_images_are_held_out(cifar10_data: DataSet) -> None:
    train, validation = split(cifar10_data.train, FirstHoldout(20))
    np.testing.assert_array_equal(validation.pixels, cifar10_data.train.pixels[:20])
    np.testing.assert_array_equal(train.pixels, cifar10_data.train.pixels[20:])


def test_a_random_tenth_is_disjoint_and_repeatable() -> None:
    kept, held_out = RandomHoldout(0.1, seed=2).rows(42_000)
    assert len(held_out) == 4200
    assert sorted([*kept, *held_out]) == list(range(42_000))
    # The rows that scikit-learn 1.x's train_test_split(test_size=0.1, random_state=2) holds out first.
    np.testing.assert_array_equal(held_out[:5], np.random.RandomState(2).permutation(42_000)[:5])


def test_nothing_left_is_refused(cifar10_data: DataSet) -> None:
    with pytest.raises(DataError, match="leaves nothing to learn from or to validate on"):
        split(cifar10_data.train, FirstHoldout(5000))
