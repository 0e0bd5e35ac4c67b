"""Decides whether a prediction is confident enough: the reject option, with a threshold on the highest probability.

Source: Chow, On optimum recognition error and reject tradeoff, 1970; Geifman and El-Yaniv, 2017 (arXiv 1705.08500).
"""

import numpy as np
from numpy.typing import NDArray


def abstains(probabilities: NDArray[np.float32], min_confidence: float) -> NDArray[np.bool_]:
    """Marks the pictures that get no label, because the highest probability is below the threshold.

    Args:
        probabilities: float32 [N, K].
        min_confidence: least probability, 0 to 1; compared as float32, as in answers.

    Returns:
        bool [N].
    """
    unsure: NDArray[np.bool_] = probabilities.max(axis=1) < np.float32(min_confidence)
    return unsure
