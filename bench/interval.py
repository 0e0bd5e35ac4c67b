"""A confidence interval for a median from a few rounds, without an assumption about their distribution."""

from collections.abc import Sequence
from math import comb
from typing import Final

CONFIDENCE: Final = 0.9


def median_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """The interval between two of the values that holds the true median with a confidence of 90 % or more.

    Each value is below the true median with probability 1/2, for any distribution. So the true median is outside the
    k-th smallest and the k-th largest value with twice the probability that fewer than k of n coins show heads.

    Args:
        values: one per round.

    Returns:
        The narrowest such interval; None with four values or fewer, which are too few for any.
    """
    ordered, count = sorted(values), len(values)
    outside, widest = 0.0, 0
    for place in range(count // 2):
        outside += 2 * comb(count, place) / 2**count
        if outside > 1 - CONFIDENCE:
            break
        widest = place + 1
    return (ordered[widest - 1], ordered[count - widest]) if widest else None
