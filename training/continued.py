"""A training that begins with earlier weights: pictures that those learnt from must not measure the new network."""

import dataclasses
import sys
from pathlib import Path

import numpy as np

from training.data.dataset import DataSet, LabelledImages
from training.data.holdout import Holdout
from training.data.learnt_pictures import FILE, LearntPictures
from training.errors import DataError, RecipeError


def held_apart(data: DataSet, holdout: Holdout, weights: Path, learnt: LearntPictures | None) -> DataSet:
    """The data set without held-out pictures that the first weights learnt from.

    Those of the test set and of a validation set of its own are left out. The recipe's validation split is made of the
    others alone: where it would have become smaller, other pictures that were not learnt from fill it up.

    Args:
        data: a folder or table of your own pictures. The published data sets have fixed parts and stay as they are.
        holdout: the recipe's validation split.
        weights: the file with the first weights.
        learnt: the pictures that they learnt from; None where that is not known.

    Raises:
        DataError: nothing is left to test or to validate on.
        RecipeError: the earlier network took pictures of another size.
    """
    if not data.is_own:
        return data
    if learnt is None:
        note = (
            f"It began with the weights of {weights.name}, beside which there is no {FILE}: they may have learnt from "
            "pictures of the validation and the test set, and the figures are then too good."
        )
        print(f"warning: {note}", file=sys.stderr)
        return dataclasses.replace(data, notes=(*data.notes, note))
    if learnt.input_shape != data.input_shape:
        height, width, channels = learnt.input_shape
        raise RecipeError(
            f"{weights} learnt from pictures of {width}x{height} pixels and {channels} channels, so it is not known "
            f"which of these of {data.input_shape[1]}x{data.input_shape[0]} and {data.input_shape[2]} it has learnt "
            "from: give the same --size and --color-mode"
        )
    train = data.train
    test = _fresh(data.test, learnt, weights, "test")
    if data.validation is None:
        train, validation = _split(data.train, holdout, learnt, weights)
        left_out = len(data.test) - len(test)
    else:
        validation = _fresh(data.validation, learnt, weights, "validation")
        left_out = len(data.validation) - len(validation) + len(data.test) - len(test)
    note = f"It began with the weights of {weights.name}, which learnt from none of the held-out pictures"
    note += f" ({left_out} are not held out, since those did)." if left_out else "."
    return dataclasses.replace(data, train=train, validation=validation, test=test, notes=(*data.notes, note))


def _split(
    images: LabelledImages, holdout: Holdout, learnt: LearntPictures, weights: Path
) -> tuple[LabelledImages, LabelledImages]:
    kept, usual = holdout.rows(images)
    known = learnt.among(images)
    held_out, others = usual[~known[usual]], kept[~known[kept]]
    # One picture of a class that the first weights have not seen stays among those to learn from.
    new, first = np.unique(images.classes[others], return_index=True)
    spare = np.delete(others, first[~np.isin(new, images.classes[known])])
    # At most half of the others: a network learns little from pictures that it knows already.
    further = min(len(usual) - len(held_out), -(-len(others) // 2), len(spare))
    held_out = np.concatenate([held_out, spare[len(spare) - further :]])
    if len(held_out) == 0:
        but = " but the only ones of their classes" if len(others) else ""
        raise DataError(
            f"{weights} learnt from all {len(images)} pictures outside the test set{but}, so that none is left to "
            f"validate on: add pictures ({2 * len(usual)} new ones would be enough), or give others in train/, val/ "
            "and test/"
        )
    is_held_out = np.isin(np.arange(len(images)), held_out)
    return images.take(np.flatnonzero(~is_held_out)), images.take(held_out)


def _fresh(images: LabelledImages, learnt: LearntPictures, weights: Path, what: str) -> LabelledImages:
    known = learnt.among(images)
    if known.all():
        raise DataError(
            f"{weights} learnt from all {len(images)} {what} pictures: add pictures, or give others in train/, val/ "
            "and test/"
        )
    if known.any():
        count = f"{known.sum()} of {len(images)} {what} pictures"
        print(f"{count} are not held out: {weights} learnt from them", file=sys.stderr)
    return images.take(np.flatnonzero(~known))
