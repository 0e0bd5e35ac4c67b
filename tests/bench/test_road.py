"""ROAD's values for removed pixels."""

import numpy as np
import pytest

from bench.road import impute

SIDE = 16
SLOPE = np.add.outer(8 * np.arange(SIDE), 4 * np.arange(SIDE)).astype(np.uint8)[..., np.newaxis]


@pytest.mark.parametrize(
    "removed", [[SIDE * 5 + 5], [SIDE * row + column for row in range(4, 9) for column in range(4, 9)]]
)
def test_what_lies_on_a_slope_is_found_again(removed: list[int]) -> None:
    filled = impute(SLOPE, np.array(removed), np.random.default_rng(0))
    assert filled.astype(int) == pytest.approx(SLOPE.astype(int), abs=10)  # noise with a standard deviation of 2.55
    assert (filled != SLOPE).sum() <= len(removed)


def test_corners_have_fewer_neighbours() -> None:
    flat = np.full((SIDE, SIDE, 3), 100, np.uint8)
    filled = impute(flat, np.array([0, 1, SIDE, SIDE * SIDE - 1]), np.random.default_rng(0))
    assert filled.astype(int) == pytest.approx(flat.astype(int), abs=10)
