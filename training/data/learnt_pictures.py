"""The pictures that a network learnt from, kept beside its file, so that none of them measures it later.

A picture is known by its content: SHA-256 over its pixels as the network takes them. A file with other bytes and the
same pixels is the same picture; one that was edited or encoded again is another.
"""

import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from training.data.dataset import DataSet, LabelledImages
from training.errors import DataError, ModelFileError
from training.files import MEBIBYTE, read_file, reason

FILE: Final = "learnt.json"
_MAX_BYTES: Final = 256 * MEBIBYTE

Digests = NDArray[np.uint64]


def digests(images: LabelledImages) -> Digests:
    """The first 8 bytes of SHA-256 over the pixels of each picture, uint64 [N]."""
    pixels = np.ascontiguousarray(images.pixels)
    first = (hashlib.sha256(picture.data).digest()[:8] for picture in pixels)
    return np.array([int.from_bytes(digest, "big") for digest in first], np.uint64)


@dataclass(frozen=True, slots=True, eq=False)
class LearntPictures:
    """The pictures that a network and those that it began with learnt from.

    Attributes:
        input_shape: (H, W, C) of the pixels that the digests are of.
        digests: ascending and all different, uint64 [N].
    """

    input_shape: tuple[int, ...]
    digests: Digests

    @classmethod
    def of(cls, images: LabelledImages, earlier: Self | None = None) -> Self:
        """These pictures, and those of an earlier network of the same input."""
        before = np.array([], np.uint64) if earlier is None else earlier.digests
        return cls(images.pixels.shape[1:], np.union1d(digests(images), before))

    @classmethod
    def beside(cls, model: Path) -> Self | None:
        """Reads the file beside a model; None where there is none.

        Raises:
            ModelFileError: it cannot be read, or is damaged.
        """
        path = model.parent / FILE
        if not path.is_file():
            return None
        try:
            said = json.loads(read_file(path, _MAX_BYTES))
            values = np.array([int(digest, 16) for digest in said["sha256"]], np.uint64)
            return cls(tuple(map(int, said["input_shape"])), np.unique(values))
        except OSError as error:
            raise ModelFileError(f"{path} cannot be read ({reason(error)})") from error
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
            raise ModelFileError(f"{path} is damaged: take it from the version's original, or remove it") from None

    def to_json(self) -> str:
        """The content of the file."""
        said = {"input_shape": self.input_shape, "sha256": [f"{digest:016x}" for digest in self.digests.tolist()]}
        return json.dumps(said) + "\n"

    def among(self, images: LabelledImages) -> NDArray[np.bool_]:
        """Which of some pictures were learnt from, bool [N]."""
        return np.isin(digests(images), self.digests)


def test_set(data: DataSet, model: Path) -> LabelledImages:
    """The test set, of your own pictures without those that a model learnt from; see :func:`not_learnt`."""
    return not_learnt(data.test, model, "test pictures") if data.is_own else data.test


def not_learnt(images: LabelledImages, model: Path, what: str) -> LabelledImages:
    """Leaves out the pictures that a model learnt from, and says on standard error how many.

    Args:
        images: of the model's input shape.
        model: its file, beside which the record is.
        what: what the pictures are to be, such as ``test pictures``.

    Raises:
        DataError: none is left.
        ModelFileError: the record is damaged, or of another model.
    """
    learnt = LearntPictures.beside(model)
    if learnt is None:
        print(
            f"{model}: there is no {FILE} beside it, so it is not checked whether it learnt from these {len(images)} "
            f"{what}: the figures hold only for pictures that it did not learn from",
            file=sys.stderr,
        )
        return images
    if learnt.input_shape != images.pixels.shape[1:]:
        raise ModelFileError(f"{model.parent / FILE} is of another model: its pictures have another shape")
    known = learnt.among(images)
    if known.all():
        raise DataError(
            f"{model} learnt from all of these {len(images)} {what}: give pictures that it did not learn from"
        )
    if known.any():
        print(f"{known.sum()} of {len(known)} {what} are left out, since the model learnt from them", file=sys.stderr)
    return images.take(np.flatnonzero(~known))


def without_copies(images: LabelledImages, labels: Sequence[str], folder: Path) -> LabelledImages:
    """The pictures in their order, each once, and says on standard error how many are left out.

    Args:
        images: the pictures.
        labels: the name of each class, for messages.
        folder: where they are from, for messages.

    Raises:
        DataError: a picture and its copy are of different classes.
    """
    _, first, which = np.unique(digests(images), return_index=True, return_inverse=True)
    others = images.classes[first[which]]
    if len(rows := np.flatnonzero(images.classes != others)):
        one, other = labels[others[rows[0]]], labels[images.classes[rows[0]]]
        raise DataError(
            f"{folder} has the same picture as {one!r} and as {other!r}, and {len(rows)} such "
            f"{'pictures' if len(rows) > 1 else 'picture'} in all: leave each in the right class alone"
        )
    if copies := len(images) - len(first):
        print(f"{copies} of {len(images)} pictures are left out, since they are copies of others", file=sys.stderr)
    return images.take(np.sort(first))
