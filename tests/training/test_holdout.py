import numpy as np
import pytest

from training.data.dataset import DataSet, LabelledImages
from training.data.holdout import DigestHoldout, FirstHoldout, RandomHoldout, split
from training.errors import DataError


def test_the_first_images_are_held_out(cifar10_data: DataSet) -> None:
    train, validation = split(cifar10_data.train, FirstHoldout(20))
    np.testing.assert_array_equal(validation.pixels, cifar10_data.train.pixels[:20])
    np.testing.assert_array_equal(train.pixels, cifar10_data.train.pixels[20:])


def test_a_random_tenth_is_disjoint_and_repeatable() -> None:
    images = LabelledImages(np.zeros((42_000, 1, 1, 1), np.uint8), np.zeros(42_000, np.int64))
    kept, held_out = RandomHoldout(0.1, seed=2).rows(images)
    assert len(held_out) == 4200
    assert sorted([*kept, *held_out]) == list(range(42_000))
    # The rows that scikit-learn 1.x's train_test_split(test_size=0.1, random_state=2) holds out first.
    np.testing.assert_array_equal(held_out[:5], np.random.RandomState(2).permutation(42_000)[:5])


def test_nothing_left_is_refused(cifar10_data: DataSet) -> None:
    with pytest.raises(DataError, match="too few to learn from some and to validate on others"):
        split(cifar10_data.train, FirstHoldout(5000))


def _random(count: int, seed: int) -> LabelledImages:
    pixels = np.random.default_rng(seed).integers(0, 256, (count, 4, 4, 3), np.uint8)
    return LabelledImages(pixels, np.arange(count) % 4)


def test_a_picture_keeps_its_side_when_others_are_added() -> None:
    images, more = _random(400, 0), _random(40, 1)
    kept, held_out = DigestHoldout(0.1).rows(images)
    assert sorted([*kept, *held_out]) == list(range(400))
    assert 25 <= len(held_out) <= 60
    grown, _ = DigestHoldout(0.1).rows(more.followed_by(images))
    assert set(kept) == {row - 40 for row in grown if row >= 40}


def test_each_class_has_a_picture_on_both_sides() -> None:
    images = _random(8, 0)
    for rows in DigestHoldout(0.1).rows(images):
        assert sorted(set(images.classes[rows])) == [0, 1, 2, 3]


def test_the_only_picture_of_a_class_is_learnt_from() -> None:
    images = LabelledImages(np.arange(4, dtype=np.uint8).reshape(4, 1, 1, 1), np.array([0, 0, 0, 1]))
    kept, _ = split(images, DigestHoldout(0.1))
    assert 1 in kept.classes


def test_two_classes_with_one_picture_each_are_too_few() -> None:
    images = LabelledImages(np.arange(2, dtype=np.uint8).reshape(2, 1, 1, 1), np.array([0, 1]))
    with pytest.raises(DataError, match="each class has a single picture to learn from"):
        split(images, DigestHoldout(0.1))
