"""Whether a prediction is sure enough to be acted on: the reject option with a threshold on the highest probability.

Source: Chow, On optimum recognition error and reject tradeoff, 1970; Geifman and El-Yaniv, 2017 (arXiv 1705.08500).
"""

import numpy as np
from numpy.typing import NDArray


def abstains(probabilities: NDArray[np.float32], min_confidence: float) -> NDArray[np.bool_]:
    """Which pictures get no label, since the most probable one is less probable than it must be.

    Args:
        probabilities: float32 [N, K].
        min_confidence: least probability, 0 to 1; it is compared as the float32 that answers hold.

    Returns:
        bool [N].
    """
    unsure: NDArray[np.bool_] = probabilities.max(axis=1) < np.float32(min_confidence)
    return unsure
