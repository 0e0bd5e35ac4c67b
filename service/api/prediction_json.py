"""Writes predictions as JSON. Each number is the shortest text that gives the same float32."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from service.api.json_writing import STEP_NUMBERS, join_lists, write
from service.decision import likely, most_probable, rank


class Picked(NamedTuple):
    """The optional members of a prediction.

    Attributes:
        top_k: how many labels ``top`` lists; None leaves it out.
        has_probabilities: whether it has the probability of every label.
    """

    top_k: int | None = None
    has_probabilities: bool = True


def write_predictions(
    name: str,
    version: str,
    labels: tuple[str, ...],
    probabilities: NDArray[np.float32],
    picked: Picked,
    *,
    multi_label: bool = False,
    filenames: Sequence[str | None] | None = None,
    failures: Mapping[int, dict[str, Any]] | None = None,
    warnings: Mapping[int, list[dict[str, str]]] | None = None,
    decisions: Sequence[Mapping[str, Any]] | None = None,
) -> bytes:
    """Writes an answer.

    Args:
        name: of the model.
        version: of the model.
        labels: in column order, each once.
        probabilities: float32 [N, K].
        picked: the optional members of a prediction.
        multi_label: whether the labels are independent, so that a picture may have several or none.
        filenames: of the N pictures; None where none has one.
        warnings: of the N pictures, by index; None where there are none.
        decisions: members to add to each of the N predictions; those that it has already are replaced.
        failures: objects that replace predictions, by index among all pictures; None where all pictures are good.

    Returns:
        The JSON: model, version, and, in the order sent, a prediction or a failure for each picture.
    """
    step = max(1, STEP_NUMBERS // len(labels))
    predictions: list[dict[str, Any]] | orjson.Fragment
    if failures is None and len(probabilities) <= step:
        predictions = _predictions(labels, probabilities, picked, multi_label, filenames)
        if warnings is not None:
            predictions = _with_warnings(predictions, warnings, 0)
        if decisions is not None:
            predictions = _with_decisions(predictions, decisions, 0)
    else:
        lists: Iterable[list[dict[str, Any]]] = (
            _predictions(
                labels, probabilities[at : at + step], picked, multi_label, filenames and filenames[at : at + step]
            )
            for at in range(0, len(probabilities), step)
        )
        if warnings is not None:
            lists = (_with_warnings(some, warnings, step * part) for part, some in enumerate(lists))
        if decisions is not None:
            lists = (_with_decisions(some, decisions, step * part) for part, some in enumerate(lists))
        predictions = join_lists(lists if failures is None else _with_failures(lists, failures))
    return write({"model": name, "version": version, "predictions": predictions})


def _predictions(
    labels: tuple[str, ...],
    probabilities: NDArray[np.float32],
    picked: Picked,
    multi_label: bool,
    filenames: Sequence[str | None] | None,
) -> list[dict[str, Any]]:
    predictions: list[dict[str, Any]] = []
    top_k, has_probabilities = picked
    # Written and read back, since orjson then writes Python floats in half the time of NumPy numbers.
    rows = orjson.loads(write(probabilities)) if has_probabilities else probabilities
    for numbers, index in zip(rows, most_probable(probabilities).tolist(), strict=True):
        if has_probabilities:
            predictions.append(
                {
                    "label": labels[index],
                    "index": index,
                    "probability": numbers[index],
                    "probabilities": dict(zip(labels, numbers, strict=True)),
                }
            )
        else:
            predictions.append({"label": labels[index], "index": index, "probability": numbers[index]})
    if top_k is not None:
        ranked = rank(probabilities, top_k).tolist()
        for row, prediction, columns in zip(probabilities, predictions, ranked, strict=True):
            prediction["top"] = [
                {"label": labels[index], "index": index, "probability": row[index]} for index in columns
            ]
    if multi_label:
        _name_several(predictions, labels, probabilities)
    if filenames is not None:
        for filename, prediction in zip(filenames, predictions, strict=True):
            if filename:
                prediction["file"] = filename
    return predictions


def _name_several(
    predictions: list[dict[str, Any]], labels: tuple[str, ...], probabilities: NDArray[np.float32]
) -> None:
    """Adds ``labels``, the most probable first; where there are none, ``label`` becomes null."""
    for row, prediction in zip(probabilities, predictions, strict=True):
        columns = likely(row)
        prediction["labels"] = [labels[index] for index in columns]
        if not columns:
            prediction["label"] = prediction["index"] = prediction["probability"] = None


def _with_warnings(
    predictions: list[dict[str, Any]], warnings: Mapping[int, list[dict[str, str]]], start: int
) -> list[dict[str, Any]]:
    """Adds warnings to the predictions of the pictures from ``start`` on."""
    for place, prediction in enumerate(predictions, start):
        if place in warnings:
            prediction["warnings"] = warnings[place]
    return predictions


def _with_decisions(
    predictions: list[dict[str, Any]], decisions: Sequence[Mapping[str, Any]], start: int
) -> list[dict[str, Any]]:
    """Adds decisions to the predictions of the pictures from ``start`` on."""
    for place, prediction in enumerate(predictions, start):
        prediction.update(decisions[place])
    return predictions


def _with_failures(
    lists: Iterable[list[dict[str, Any]]], failures: Mapping[int, dict[str, Any]]
) -> Iterator[list[dict[str, Any]]]:
    """Inserts failures at their indices among the predictions."""
    place = 0
    for some in lists:
        merged = []
        for prediction in some:
            while place in failures:
                merged.append(failures[place])
                place += 1
            merged.append(prediction)
            place += 1
        yield merged
    if last := [failures[at] for at in sorted(failures) if at >= place]:
        yield last
