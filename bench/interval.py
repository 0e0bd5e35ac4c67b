"""What a few rounds say about a median, without any assumption about how they spread."""

from collections.abc import Sequence
from math import comb
from typing import Final

CONFIDENCE: Final = 0.9


def median_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """The interval between two of the values that holds the true median with a confidence of 90 % or more.

    Each value lies below the true median with a chance of one half, whatever their distribution. So the true median is
    outside the k-th smallest and the k-th largest value with twice the chance that fewer than k of n coins show heads.

    Args:
        values: one a round.

    Returns:
        The narrowest such interval; None where there are too few values for any: four or fewer.
    """
    ordered, count = sorted(values), len(values)
    outside, widest = 0.0, 0
    for place in range(count // 2):
        outside += 2 * comb(count, place) / 2**count
        if outside > 1 - CONFIDENCE:
            break
        widest = place + 1
    return (ordered[widest - 1], ordered[count - widest]) if widest else None
