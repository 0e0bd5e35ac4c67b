"""Measures how far the recent answers of a model differ from its answers on the test set."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

HALF_LIFE_IMAGES = 5_000
"""Half-life: after so many further images, an image has half its weight."""

ENOUGH_IMAGES = 1_000
"""With fewer images, chance alone changes the index by about (bins - 1) / images."""

_LEAST_SHARE = 1e-4  # an empty bin would make the index infinite


class Drift:
    """The population stability index of recent counts against reference shares.

    The index is the symmetrised Kullback-Leibler divergence, sum of (p - q) ln(p / q) over the bins. Usually, an index
    below 0.1 is regarded as no change, and above 0.25 as a large change.

    Args:
        reference: share of each bin, [B], sums to 1.

    Source: N. Siddiqi, Credit Risk Scorecards, 2006, chapter 10.
    """

    def __init__(self, reference: Sequence[float]) -> None:
        self._reference = np.maximum(np.asarray(reference, np.float64), _LEAST_SHARE)
        self._recent = np.zeros(len(reference))
        self._images = 0

    def add(self, counts: NDArray[np.int64]) -> None:
        """Adds the counts of further images, [B]."""
        images = int(counts.sum())
        self._recent *= 0.5 ** (images / HALF_LIFE_IMAGES)
        self._recent += counts
        self._images += images

    def index(self) -> float | None:
        """The index, or None while there are too few images."""
        if self._images < ENOUGH_IMAGES:
            return None
        share = np.maximum(self._recent / self._recent.sum(), _LEAST_SHARE)
        return float(((share - self._reference) * np.log(share / self._reference)).sum())
