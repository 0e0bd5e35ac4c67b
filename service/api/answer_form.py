"""A model's JSON answer with its names filled in, so that a request only fills in numbers."""

from functools import lru_cache
from typing import Self

import numpy as np
import orjson
from numpy.typing import NDArray

_FORMS_KEPT = 64


class AnswerForm:
    """Writes the JSON of classifications by one model.

    Numbers are written by orjson, a whole array at once: each as the shortest text that is the same float32. A document
    built as dictionaries first takes twice as long.

    Args:
        name: of the model.
        version: of it.
        labels: in column order.
    """

    def __init__(self, name: str, version: str, labels: tuple[str, ...]) -> None:
        self._labels = [_json(label) for label in labels]
        self._head = b'{"model":%b,"version":%b,"predictions":[' % (_json(name), _json(version))
        blanks = b",".join(label.replace(b"%", b"%%") + b":%b" for label in self._labels)
        self._entry = b'{"label":%b,"index":%d,"probability":%b,"probabilities":{' + blanks + b"}"

    @classmethod
    @lru_cache(maxsize=_FORMS_KEPT)
    def of(cls, name: str, version: str, labels: tuple[str, ...]) -> Self:
        """The form of a model; made once."""
        return cls(name, version, labels)

    def fill(self, probabilities: NDArray[np.float32], top_k: int | None) -> bytes:
        """Writes an answer.

        Args:
            probabilities: float32 [N, K], C-contiguous.
            top_k: how many labels ``top`` lists; None leaves it out.

        Returns:
            The JSON: model, version, and for each row its most probable label and the probability of every one.
        """
        rows = orjson.dumps(probabilities, option=orjson.OPT_SERIALIZE_NUMPY)[2:-2].split(b"],[")
        entries = [
            self._fill_entry(row, numbers.split(b","), top_k) for row, numbers in zip(probabilities, rows, strict=True)
        ]
        return self._head + b",".join(entries) + b"]}"

    def _fill_entry(self, row: NDArray[np.float32], numbers: list[bytes], top_k: int | None) -> bytes:
        index = int(row.argmax())
        entry = self._entry % (self._labels[index], index, numbers[index], *numbers)
        if top_k is None:
            return entry + b"}"
        top = [
            b'{"label":%b,"index":%d,"probability":%b}' % (self._labels[place], place, numbers[place])
            for place in np.argsort(-row, kind="stable")[:top_k].tolist()
        ]
        return b'%b,"top":[%b]}' % (entry, b",".join(top))


def _json(text: str) -> bytes:
    return orjson.dumps(text)
