import dataclasses

import numpy as np
import pytest

from training.augment import augment
from training.batches import TrainingBatches, as_network_input
from training.data.dataset import DataSet
from training.recipes.mnist_best import RECIPE as MNIST_BEST
from training.recipes.recipe import Augmentation

EVERYTHING = Augmentation(
    flip=True, shift=2, rotation=10, scale=0.1, shear=0.1, elastic=1.0, elastic_smoothness=4, contrast=0.1
)


def test_nothing_asked_is_nothing_changed(cifar10_data: DataSet) -> None:
    pictures, _ = as_network_input(cifar10_data.train, 10)
    np.testing.assert_array_equal(augment(pictures, Augmentation(), np.random.default_rng(0)), pictures)


@pytest.mark.parametrize("how", [EVERYTHING, Augmentation(flip=True, shift=4)])
def test_the_same_generator_gives_the_same_pictures(cifar10_data: DataSet, how: Augmentation) -> None:
    pictures, _ = as_network_input(cifar10_data.train, 10)
    first, second = (augment(pictures, how, np.random.default_rng(7)) for _ in range(2))
    other = augment(pictures, how, np.random.default_rng(8))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)
    assert first.dtype == np.float32
    assert first.shape == pictures.shape
    assert first.min() >= 0
    assert first.max() <= 1


def test_a_whole_pixel_shift_by_resampling_moves_and_keeps() -> None:
    picture = np.zeros((1, 9, 9, 1), np.float32)
    picture[0, 4, 4, 0] = 1
    # The smallest rotation forces resampling; half a turn of 1e-9 degrees moves nothing.
    still = augment(picture, Augmentation(rotation=1e-9), np.random.default_rng(0))
    np.testing.assert_allclose(still, picture, atol=1e-6)
    moved = augment(picture, Augmentation(rotation=1e-9, shift=2), np.random.default_rng(0))
    assert moved.sum() == pytest.approx(1, abs=1e-5)
    assert not np.allclose(moved, picture)


def test_a_flip_is_a_mirror(cifar10_data: DataSet) -> None:
    pictures, _ = as_network_input(cifar10_data.train, 10)
    flipped = augment(pictures, Augmentation(flip=True), np.random.default_rng(0))
    mirrored = np.array([np.array_equal(a, b[:, ::-1]) for a, b in zip(flipped, pictures, strict=True)])
    same = np.array([np.array_equal(a, b) for a, b in zip(flipped, pictures, strict=True)])
    assert (mirrored | same).all()
    assert 0.3 < mirrored.mean() < 0.7


def _batches(data: DataSet, epoch: int) -> TrainingBatches:
    return TrainingBatches(
        data.train, classes=10, batch_size=64, augmentation=lambda _epoch: EVERYTHING, seed=3, epoch=epoch
    )


def test_a_batch_follows_from_seed_epoch_and_number_alone(cifar10_data: DataSet) -> None:
    unbroken = _batches(cifar10_data, epoch=0)
    for number in range(len(unbroken)):
        unbroken[number]
    unbroken.on_epoch_end()
    resumed = _batches(cifar10_data, epoch=1)
    for ours, theirs in zip(unbroken[2], resumed[2], strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_an_epoch_shows_every_image_once(mnist_data: DataSet) -> None:
    batches = TrainingBatches(mnist_data.train, classes=10, batch_size=64, augmentation=lambda _epoch: None, seed=0)
    assert len(batches) == 8
    shown = np.concatenate([batches[number][0] for number in range(len(batches))])
    expected, _ = as_network_input(mnist_data.train, 10)
    order = np.lexsort(shown.reshape(len(shown), -1).T)
    expected_order = np.lexsort(expected.reshape(len(expected), -1).T)
    np.testing.assert_array_equal(shown[order], expected[expected_order])


def test_annealed_augmentation_ends_with_the_pictures_as_they_are() -> None:
    recipe = dataclasses.replace(MNIST_BEST, epochs=40, anneal_augmentation=True, augmentation=EVERYTHING)
    assert recipe.augmentation_in(0) == EVERYTHING
    halfway, last = recipe.augmentation_in(20), recipe.augmentation_in(39)
    assert halfway is not None
    assert last is not None
    assert halfway.rotation == pytest.approx(EVERYTHING.rotation / 2)
    assert 0 < last.rotation < EVERYTHING.rotation / 500
    assert halfway.flip == EVERYTHING.flip


def test_cutout_makes_one_square_the_mean_colour(cifar10_data: DataSet) -> None:
    pictures, _ = as_network_input(cifar10_data.train, 10)
    changed = augment(pictures, Augmentation(cutout=8), np.random.default_rng(0))
    differing = (changed != pictures).any(axis=3)
    # A square whose centre is in the picture: a quarter of it at least.
    assert 16 <= differing.sum(axis=(1, 2)).max() <= 64
    for picture, was, where in zip(changed[:20], pictures, differing, strict=False):
        np.testing.assert_allclose(picture[where], np.tile(was.mean(axis=(0, 1)), (where.sum(), 1)), rtol=1e-5)


def test_alternating_flip_shows_each_picture_both_ways_in_turn(cifar10_data: DataSet) -> None:
    how = Augmentation(flip=True, alternating_flip=True)
    seen = []
    for epoch in range(3):
        batches = TrainingBatches(
            cifar10_data.train, classes=10, batch_size=32, augmentation=lambda _: how, seed=5, epoch=epoch
        )
        pictures = np.concatenate([batches[index][0] for index in range(len(batches))])
        seen.append(pictures[np.argsort(np.random.default_rng((5, epoch)).permutation(len(pictures)))])
    originals, _ = as_network_input(cifar10_data.train, 10)
    np.testing.assert_array_equal(seen[1], seen[0][:, :, ::-1])
    np.testing.assert_array_equal(seen[2], seen[0])
    mirrored = (seen[0] != originals).any(axis=(1, 2, 3)).mean()
    assert 0.3 < mirrored < 0.7
