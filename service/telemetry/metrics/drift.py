"""How far what a model answers lately is from what it answered on its test set."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

HALF_LIFE_IMAGES = 5_000
"""After so many more images, an image counts half."""

ENOUGH_IMAGES = 1_000
"""With fewer, chance alone moves the index: by about (bins - 1) / images."""

_LEAST_SHARE = 1e-4  # an empty bin would make the index infinite


class Drift:
    """The population stability index of recent counts against reference shares.

    The index is the symmetrised Kullback-Leibler divergence, sum of (p - q) ln(p / q) over the bins. By custom, below
    0.1 is no change, above 0.25 a large one.

    Args:
        reference: share of each bin, [B], sums to 1.

    Source: N. Siddiqi, Credit Risk Scorecards, 2006, chapter 10.
    """

    def __init__(self, reference: Sequence[float]) -> None:
        self._reference = np.maximum(np.asarray(reference, np.float64), _LEAST_SHARE)
        self._recent = np.zeros(len(reference))
        self._images = 0

    def add(self, counts: NDArray[np.int64]) -> None:
        """Takes the counts of further images, [B]."""
        images = int(counts.sum())
        self._recent *= 0.5 ** (images / HALF_LIFE_IMAGES)
        self._recent += counts
        self._images += images

    def index(self) -> float | None:
        """The index, or None while there are too few images to tell."""
        if self._images < ENOUGH_IMAGES:
            return None
        share = np.maximum(self._recent / self._recent.sum(), _LEAST_SHARE)
        return float(((share - self._reference) * np.log(share / self._reference)).sum())
