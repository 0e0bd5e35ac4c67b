"""A data set in memory: pixels as the served model takes them, the true classes, and the labels."""

import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from contract import ColorMode, DataSource, Fit, Polarity
from training.errors import DataError

_LEAST_LIMIT = 20


@dataclass(frozen=True, slots=True, eq=False)
class LabelledImages:
    """Pictures and their true classes.

    Attributes:
        pixels: uint8 [N, H, W, C].
        classes: int64 [N], each an index into the data set's labels.
    """

    pixels: NDArray[np.uint8]
    classes: NDArray[np.int64]

    def __post_init__(self) -> None:
        if self.pixels.ndim != 4 or self.pixels.dtype != np.uint8:
            raise DataError(f"pixels must be uint8 [N, H, W, C], not {self.pixels.dtype} {list(self.pixels.shape)}")
        if self.classes.shape != self.pixels.shape[:1]:
            raise DataError(f"{len(self.pixels)} images but {len(self.classes)} labels: there must be one for each")

    @classmethod
    def of(cls, pixels: Sequence[NDArray[np.uint8]], classes: Sequence[int]) -> Self:
        """Pictures one by one, uint8 [H, W, C] each, and their classes."""
        return cls(np.stack(pixels), np.array(classes, np.int64))

    def __len__(self) -> int:
        return len(self.pixels)

    def take(self, rows: NDArray[np.int64] | slice) -> "LabelledImages":
        """The pictures at ``rows``, in that order."""
        return LabelledImages(self.pixels[rows], self.classes[rows])

    def followed_by(self, others: "LabelledImages") -> "LabelledImages":
        """These pictures and then ``others``."""
        return LabelledImages(
            np.concatenate([self.pixels, others.pixels]), np.concatenate([self.classes, others.classes])
        )


@dataclass(frozen=True, slots=True, eq=False)
class DataSet:
    """Labelled pictures for training and testing, and the rule that turns any other picture into the network's input.

    Attributes:
        name: of the data set, and of the model unless another name is given.
        labels: K labels; a class is an index into them.
        train: for training; the validation split is taken from it.
        test: for the final measurement only; no choice depends on it.
        source: publisher's name, licence and citation.
        color_mode: ``RGB`` (C = 3) or ``L`` (C = 1).
        fit: how a picture of another shape becomes [H, W].
        polarity: ``light-on-dark`` where only light strokes on a dark ground occur.
        notes: how the sets were made, for the model card.
        validation: the publisher's validation set; with None the recipe makes the split.
        is_own: whether it is a folder or table of your own pictures, not a published data set.
    """

    name: str
    labels: tuple[str, ...]
    train: LabelledImages
    test: LabelledImages
    source: DataSource
    color_mode: ColorMode
    fit: Fit
    polarity: Polarity
    notes: tuple[str, ...] = field(default=())
    validation: LabelledImages | None = None
    is_own: bool = False

    def __post_init__(self) -> None:
        for part, images in (("training", self.train), ("test", self.test)):
            if len(images) == 0:
                raise DataError(f"{self.name}: the {part} set is empty")
            if images.classes.min() < 0 or images.classes.max() >= len(self.labels):
                raise DataError(f"{self.name}: a {part} label is outside 0 to {len(self.labels) - 1}")
        if self.train.pixels.shape[1:] != self.test.pixels.shape[1:]:
            raise DataError(f"{self.name}: training and test images differ in shape")

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(H, W, C) of one image."""
        height, width, channels = self.train.pixels.shape[1:]
        return height, width, channels

    def limited(self, images: int) -> "DataSet":
        """At most ``images`` of each set, chosen at random, for a run that only shows whether everything works.

        Raises:
            DataError: ``images`` is less than 20, or so few that each class has a single picture to learn from.
        """
        if images < _LEAST_LIMIT:
            raise DataError(f"--limit {images}: at least {_LEAST_LIMIT} pictures are needed")
        note = f"A trial with at most {images} pictures of each set (--limit): its figures say nothing of the model."
        # At random, since a user's own pictures are sorted by class.
        rng = np.random.default_rng(0)
        train, test = (part.take(rng.permutation(len(part))[:images]) for part in (self.train, self.test))
        is_cut = len(train) < len(self.train)
        if is_cut and self.validation is None and np.bincount(train.classes).max() == 1:
            raise DataError(
                f"--limit {images}: that is too few for {len(self.labels)} classes, since no class has two pictures to "
                "learn from; give a higher number"
            )
        validation = self.validation and self.validation.take(rng.permutation(len(self.validation))[:images])
        return dataclasses.replace(self, train=train, test=test, validation=validation, notes=(*self.notes, note))

    def fingerprint(self) -> str:
        """SHA-256 over training pixels and classes: a resumed run must use exactly the same data."""
        digest = hashlib.sha256(np.ascontiguousarray(self.train.pixels).data)
        digest.update(np.ascontiguousarray(self.train.classes).data)
        if self.validation is not None:
            digest.update(np.ascontiguousarray(self.validation.pixels).data)
            digest.update(np.ascontiguousarray(self.validation.classes).data)
        return digest.hexdigest()
