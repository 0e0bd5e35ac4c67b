"""A model's answers as JSON."""

from functools import lru_cache
from typing import Any, Self

import numpy as np
import orjson
from numpy.typing import NDArray

from service.api.json_writing import STEP_NUMBERS, join_lists, write
from service.decision import most_probable, rank

_FORMS_KEPT = 64


class AnswerForm:
    """Writes the JSON of classifications by one model. A number is the shortest text that is the same float32.

    Args:
        name: of the model.
        version: of it.
        labels: in column order, each once.
    """

    def __init__(self, name: str, version: str, labels: tuple[str, ...]) -> None:
        self._name = name
        self._version = version
        self._labels = labels

    @classmethod
    @lru_cache(maxsize=_FORMS_KEPT)
    def of(cls, name: str, version: str, labels: tuple[str, ...]) -> Self:
        """The form of a model; made once."""
        return cls(name, version, labels)

    def fill(self, probabilities: NDArray[np.float32], top_k: int | None) -> bytes:
        """Writes an answer.

        Args:
            probabilities: float32 [N, K].
            top_k: how many labels ``top`` lists; None leaves it out.

        Returns:
            The JSON: model, version, and for each row its most probable label and the probability of every one.
        """
        step = max(1, STEP_NUMBERS // len(self._labels))
        predictions: list[dict[str, Any]] | orjson.Fragment = self._predictions(probabilities[:step], top_k)
        if len(probabilities) > step:
            rows = (probabilities[at : at + step] for at in range(0, len(probabilities), step))
            predictions = join_lists(self._predictions(some, top_k) for some in rows)
        return write({"model": self._name, "version": self._version, "predictions": predictions})

    def _predictions(self, probabilities: NDArray[np.float32], top_k: int | None) -> list[dict[str, Any]]:
        labels = self._labels
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
