"""Orders labels by probability, in the same way for every answer, metric and protocol."""

import numpy as np
from numpy.typing import NDArray

_SELECTING_COLUMNS = 512
_THRESHOLD = 0.5


def most_probable(probabilities: NDArray[np.float32]) -> NDArray[np.intp]:
    """The column of the highest probability in each row; the first of them where several are equal.

    Args:
        probabilities: float32 [N, K].

    Returns:
        intp [N].
    """
    columns: NDArray[np.intp] = probabilities.argmax(axis=1)
    return columns


def rank(probabilities: NDArray[np.float32], top_k: int) -> NDArray[np.intp]:
    """The columns of the ``top_k`` highest probabilities in each row, the highest first.

    Equal ones are in column order, so that :func:`most_probable` is always the first of the ranking.

    Args:
        probabilities: float32 [N, K], finite.
        top_k: how many, at least 1; if more than K, all K.

    Returns:
        intp [N, min(top_k, K)].
    """
    columns = probabilities.shape[1]
    if columns < _SELECTING_COLUMNS or 4 * top_k > columns:
        return np.argsort(-probabilities, axis=1, kind="stable")[:, :top_k]
    # Sorting only the probabilities that can be listed is several times faster than sorting all.
    least = np.partition(probabilities, columns - top_k, axis=1)[:, columns - top_k]
    ranked = np.empty((len(probabilities), top_k), np.intp)
    for place, (row, bound) in enumerate(zip(probabilities, least, strict=True)):
        reaching = np.flatnonzero(row >= bound)
        ranked[place] = reaching[np.argsort(-row[reaching], kind="stable")[:top_k]]
    return ranked


def likely(probabilities: NDArray[np.float32]) -> list[int]:
    """The columns of one row that are at least 0.5, the highest first: the labels of a multi-label model.

    Args:
        probabilities: float32 [K], independent of each other.
    """
    columns = np.flatnonzero(probabilities >= _THRESHOLD)
    found: list[int] = columns[np.argsort(-probabilities[columns], kind="stable")].tolist()
    return found
