"""The number of rounds that is enough to decide a target."""

import random
from statistics import median

import pytest

from bench.interval import median_interval
from bench.verdict import Verdict


@pytest.mark.parametrize(
    ("values", "interval"),
    [
        ([3.0, 1.0, 2.0, 4.0], None),  # the probability that all four lie on one side is 1/8
        ([3.0, 1.0, 2.0, 4.0, 5.0], (1.0, 5.0)),
        ([float(n) for n in range(8)], (1.0, 6.0)),
        ([], None),
    ],
)
def test_the_narrowest_interval_of_90_percent(values: list[float], interval: tuple[float, float] | None) -> None:
    assert median_interval(values) == interval


@pytest.mark.parametrize("rounds", [5, 8, 13])
def test_it_holds_the_true_median_as_often_as_it_says(rounds: int) -> None:
    source = random.Random(1)
    held = 0
    for _ in range(2000):
        interval = median_interval([source.expovariate(1.0) for _ in range(rounds)])
        assert interval is not None
        held += interval[0] <= 0.6931 <= interval[1]  # ln 2
    assert held >= 0.88 * 2000


@pytest.mark.parametrize(
    ("values", "met"),
    [
        ([1.2, 1.3, 1.4, 1.3, 1.2], "yes"),
        ([1.0, 1.1, 1.3, 1.3, 1.3], "undecided"),
        ([1.0, 1.1, 1.0, 1.0, 1.1], "**no**"),
        ([1.2, 1.3], "too few rounds"),
    ],
)
def test_a_target_is_met_where_the_whole_interval_is_above_it(values: list[float], met: str) -> None:
    verdict = Verdict("what", "against", 1.15, True, values, "times")
    assert verdict.met == met
    assert verdict.reached.startswith(f"{median(values):.2f}")
    below = Verdict("what", "against", 1.15, False, [2.3 - value for value in values], "times")
    assert below.met == met
