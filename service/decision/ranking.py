"""The order of labels by their probability, the same in every answer, metric and protocol."""

import numpy as np
from numpy.typing import NDArray


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

    Of equal ones the first column comes first, so that :func:`most_probable` is always the first of the ranking.

    Args:
        probabilities: float32 [N, K].
        top_k: how many, from 1 up; all K where it is more.

    Returns:
        intp [N, min(top_k, K)].
    """
    return np.argsort(-probabilities, axis=1, kind="stable")[:, :top_k]
