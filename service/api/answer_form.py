"""A model's answers as JSON."""

from functools import lru_cache
from typing import Self

import numpy as np
import orjson
from numpy.typing import NDArray

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
        labels, predictions = self._labels, []
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
        document = {"model": self._name, "version": self._version, "predictions": predictions}
        return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)
