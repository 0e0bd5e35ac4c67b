"""Training batches that depend only on (seed, epoch, batch), so a resumed run gets the batches of an unbroken one."""

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from training.augment import augment
from training.data.dataset import LabelledImages
from training.recipes.recipe import Augmentation
from training.teacher import Teacher

Batch = tuple[NDArray[np.float32], NDArray[np.float32]]


def as_network_input(images: LabelledImages, classes: int) -> Batch:
    """Pixels divided by 255, float32 [N, H, W, C], and one-hot targets, float32 [N, K]."""
    return images.pixels.astype(np.float32) / np.float32(255), np.eye(classes, dtype=np.float32)[images.classes]


class TrainingBatches(keras.utils.PyDataset):  # type: ignore[misc]  # Keras has no types
    """Shuffled, augmented batches of one training set, a new shuffle each epoch.

    Args:
        images: the training split.
        classes: the number of classes, K.
        batch_size: images per batch; the last batch may be smaller.
        augmentation: returns the augmentation of an epoch, counted from 0; None for none.
        seed: of shuffle and augmentation.
        teacher: the model that computes the targets; None takes the true classes.
        epoch: the first epoch, counted from 0.
    """

    def __init__(
        self,
        images: LabelledImages,
        *,
        classes: int,
        batch_size: int,
        augmentation: Callable[[int], Augmentation | None],
        seed: int,
        teacher: Teacher | None = None,
        epoch: int = 0,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._images = images
        self._classes = classes
        self._batch_size = batch_size
        self._augmentation = augmentation
        self._seed = seed
        self._teacher = teacher
        self._epoch = epoch
        self._order = self._shuffled()
        self._mirrored_first = np.random.default_rng(seed).random(len(images)) < 0.5

    def __len__(self) -> int:
        return math.ceil(len(self._images) / self._batch_size)

    def __getitem__(self, index: int) -> Batch:
        rows = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        pictures, targets = as_network_input(self._images.take(rows), self._classes)
        how = self._augmentation(self._epoch)
        if how is not None:
            # Each picture is seen mirrored in every other epoch: a random half in the first.
            mirrored = self._mirrored_first[rows] ^ (self._epoch % 2 == 1) if how.alternating_flip else None
            rng = np.random.default_rng((self._seed, self._epoch, index))
            pictures = augment(pictures, how, rng, mirrored)
        return pictures, targets if self._teacher is None else self._teacher.targets(pictures, targets)

    def on_epoch_end(self) -> None:
        """Keras calls this after each epoch."""
        self._epoch += 1
        self._order = self._shuffled()

    def _shuffled(self) -> NDArray[np.int64]:
        return np.random.default_rng((self._seed, self._epoch)).permutation(len(self._images))
