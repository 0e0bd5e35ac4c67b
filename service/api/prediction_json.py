"""A model's answers as JSON. A number is the shortest text that is the same float32."""

from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from service.api.json_writing import STEP_NUMBERS, join_lists, write
from service.decision import most_probable, rank


def write_predictions(
    name: str, version: str, labels: tuple[str, ...], probabilities: NDArray[np.float32], top_k: int | None
) -> bytes:
    """Writes an answer.

    Args:
        name: of the model.
        version: of it.
        labels: in column order, each once.
        probabilities: float32 [N, K].
        top_k: how many labels ``top`` lists; None leaves it out.

    Returns:
        The JSON: model, version, and for each row its most probable label and the probability of every one.
    """
    step = max(1, STEP_NUMBERS // len(labels))
    predictions: list[dict[str, Any]] | orjson.Fragment = _predictions(labels, probabilities[:step], top_k)
    if len(probabilities) > step:
        rows = (probabilities[at : at + step] for at in range(0, len(probabilities), step))
        predictions = join_lists(_predictions(labels, some, top_k) for some in rows)
    return write({"model": name, "version": version, "predictions": predictions})


def _predictions(
    labels: tuple[str, ...], probabilities: NDArray[np.float32], top_k: int | None
) -> list[dict[str, Any]]:
    predictions: list[dict[str, Any]] = []
    for row, index in zip(probabilities, most_probable(probabilities).tolist(), strict=True):
        numbers = list(row)
        predictions.append(
            {
                "label": labels[index],
                "index": index,
                "probability": numbers[index],
                "probabilities": dict(zip(labels, numbers, strict=True)),
            }
        )
    if top_k is not None:
        ranked = rank(probabilities, top_k).tolist()
        for row, prediction, columns in zip(probabilities, predictions, ranked, strict=True):
            prediction["top"] = [
                {"label": labels[index], "index": index, "probability": row[index]} for index in columns
            ]
    return predictions
