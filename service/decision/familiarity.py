"""Computes how familiar a picture looks to a model: the share of held-out pictures that look less familiar.

The score is the graph's output ``familiarity``, which also uses the last feature map; for a file without that output,
it uses the probabilities only. The measurements are in `bench/reports/trust.md`. A model can be confident about
pictures of a kind that it has never seen, so a high value is no proof.
"""

import numpy as np
from numpy.typing import NDArray

from contract import Familiarity


def negative_entropy(probabilities: NDArray[np.float32]) -> NDArray[np.float64]:
    """The negative entropy of the probabilities, which is higher the more confident the model is.

    Args:
        probabilities: float32 [N, K].

    Returns:
        float64 [N], in nats, at most 0.
    """
    wide = probabilities.astype(np.float64)
    scores: NDArray[np.float64] = (wide * np.log(np.maximum(wide, 1e-30))).sum(axis=1)
    return scores


def familiarity_of(
    probabilities: NDArray[np.float32], of_features: NDArray[np.float32] | None, known: Familiarity
) -> NDArray[np.float64]:
    """The share of held-out pictures that look less familiar than each picture.

    Args:
        probabilities: float32 [N, K].
        of_features: the graph's output, float32 [N]; None where it has none.
        known: the distribution over held-out pictures.

    Returns:
        float64 [N], 0 to 1.
    """
    quantiles = np.array(known.quantiles)
    if known.score == "entropy" or of_features is None:
        compared = negative_entropy(probabilities)
    else:
        compared = of_features.astype(np.float64)
    scores = np.clip(compared, quantiles[0], quantiles[-1])
    above = np.clip(np.searchsorted(quantiles, scores, side="left"), 1, len(quantiles) - 1)
    low, high = quantiles[above - 1], quantiles[above]
    within = np.divide(scores - low, high - low, out=np.zeros_like(scores), where=high > low)
    shares: NDArray[np.float64] = (above - 1 + within) / (len(quantiles) - 1)
    return shares
