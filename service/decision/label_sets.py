"""Label sets that contain the right label with a given probability; rule and sources: :mod:`contract.held_out`."""

import numpy as np
from numpy.typing import NDArray

from contract import CoverageLevel
from service.decision.ranking import rank


def label_sets(probabilities: NDArray[np.float32], level: CoverageLevel) -> list[NDArray[np.intp]]:
    """The columns of each picture's set, the most probable first; none is empty.

    Args:
        probabilities: float32 [N, K].
        level: has one threshold, or K.
    """
    is_in = probabilities >= np.array(level.thresholds, np.float32)
    ranked = rank(probabilities, max(1, int(is_in.sum(axis=1).max())) if len(level.thresholds) == 1 else is_in.shape[1])
    is_in[np.arange(len(is_in)), ranked[:, 0]] = True
    return [columns[row[columns]] for columns, row in zip(ranked, is_in, strict=True)]
