"""Labelled example pictures calibrate an imported classifier, measure it, and show labels in a wrong order.

Of enough pictures, one half fits the temperature and the other half is measured.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training import scores
from training.data.dataset import LabelledImages
from training.data.learnt_pictures import without_copies
from training.importing.expected import Expected
from training.importing.source import Source
from training.measurement import Measurement
from training.scores import Probabilities
from training.temperature import LEAST_IMAGES, fit_temperature

_SEED = 0
_STANDARD_ERRORS = 2.0
_LEAST_MOVED = 2
_SHOWN = 3


def calibrate(
    source: Source, said: Expected, labelled: LabelledImages, folder: Path, notes: list[str]
) -> tuple[float, Measurement | None]:
    """Fits the temperature on one half of the examples, and measures the uncalibrated answers to the other.

    Copies of a picture count once.

    Args:
        source: the network.
        said: what it expects.
        labelled: the examples, at the size of its input.
        folder: where they are from, for messages.
        notes: for the user; some are added.

    Returns:
        (temperature, measurement with temperature 1). The temperature is 1 where there are too few pictures, which are
        then all measured; nothing is measured of a network with several labels per picture.

    Raises:
        DataError: a picture and its copy are of different classes.
    """
    if said.ending.head == "multi-label":
        notes.append("accuracy and calibration are not measured for models with several labels per picture")
        return 1.0, None
    labelled = without_copies(labelled, said.names, folder)
    values = source.answer_pictures(labelled.pixels, said.preprocessing.value)
    probabilities = said.ending.probabilities(values).astype(np.float32)
    if note := order_note(scores.confusion_matrix(probabilities, labelled.classes), said.names):
        notes.append(note)
    if len(labelled) < LEAST_IMAGES:
        notes.append(f"{len(labelled)} pictures are too few to fit a temperature on ({LEAST_IMAGES}); it stays 1")
        return 1.0, _measurement(said, labelled, probabilities)
    rows = np.random.default_rng(_SEED).permutation(len(labelled))
    fitted, reported = np.sort(rows[: len(rows) // 2]), np.sort(rows[len(rows) // 2 :])
    logits = np.log(np.maximum(said.ending.probabilities(values), 1e-30))
    temperature = fit_temperature(logits[fitted], labelled.classes[fitted])
    return temperature, _measurement(said, labelled.take(reported), probabilities[reported])


def order_note(confusion: NDArray[np.int64], names: tuple[str, ...]) -> str:
    """A note if another order of the labels explains the answers far better, or if they are no better than chance.

    Another order counts only where two pictures or more confirm a moved label, since a single wrong answer may be any
    label. It must also be far better than a constant answer, which some order makes the largest class.

    Args:
        confusion: [K, K], rows true, columns predicted.
        names: of the K classes.

    Returns:
        The note; empty where neither is so.
    """
    pictures, right = int(confusion.sum()), int(confusion.trace())
    columns = _columns(confusion)
    best = sum(int(confusion[row, column]) for row, column in columns.items())
    largest = int(confusion.sum(axis=1).max())
    if 2 * best > pictures and all(_is_far_better(best, other, pictures) for other in (right, largest)):
        moved = [(row, column) for row, column in columns.items() if row != column]
        shown = ", ".join(f"{names[row]!r} is answered {names[column]!r}" for row, column in moved[:_SHOWN])
        return (
            f"the labels seem to be in a wrong order ({shown}{', and so on' * (len(moved) > _SHOWN)}): in another one "
            f"{best} of {pictures} example pictures would be right instead of {right}. Keras data sets number classes "
            "by the sorted names of their folders (class_names)"
        )
    if right * len(names) <= pictures:
        return (
            f"{right} of {pictures} example pictures are right, which is no better than chance: look at the order of "
            "the labels, --preprocessing and --resize"
        )
    return ""


def _is_far_better(best: int, other: int, pictures: int) -> bool:
    share = (best + other) / (2 * pictures)
    error = np.sqrt(2 * share * (1 - share) * pictures)
    return bool(best - other > max(1.0, _STANDARD_ERRORS * error))


def _columns(confusion: NDArray[np.int64]) -> dict[int, int]:
    """A column for each class with pictures that were answered, all different; the most frequent answers first.

    Another class's column needs two pictures.
    """
    columns: dict[int, int] = {}
    taken: set[int] = set()
    found = np.argwhere(confusion)
    found = found[(found[:, 0] == found[:, 1]) | (confusion[tuple(found.T)] >= _LEAST_MOVED)]
    for row, column in found[np.argsort(-confusion[tuple(found.T)], kind="stable")].tolist():
        if row not in columns and column not in taken:
            columns[row] = column
            taken.add(column)
    return columns


def _measurement(said: Expected, images: LabelledImages, probabilities: Probabilities) -> Measurement:
    return Measurement(
        labels=said.names,
        images=images,
        probabilities=probabilities,
        evaluation=scores.evaluate(probabilities, images.classes),
        confusion=scores.confusion_matrix(probabilities, images.classes),
    )
