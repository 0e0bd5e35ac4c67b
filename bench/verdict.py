"""One target: its bound, its measured values, and whether they meet the bound."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from bench.grid import grid
from bench.interval import median_interval

_FORMS: Final = {
    "times": ("{:.2f} times", "{:.2f}"),
    "ms": ("{:.2f} ms", "{:.2f}"),
    "s": ("{:.2f} s", "{:.2f}"),
    "us": ("{:,.0f} us", "{:,.0f}"),
    "MiB": ("{:,.0f} MiB", "{:,.0f}"),
    "images/s": ("{:,.0f} images/s", "{:,.0f}"),
    "%": ("{:.1%}", "{:.2%}"),
    "": ("{:g}", "{:.1e}"),
}
"""The formats of a bound and of a value, by unit."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One target.

    Attributes:
        what: name of the measured figure.
        against: name of the figure that it is compared with; empty where there is none.
        wanted: the bound.
        is_least: whether the bound is a minimum, not a maximum.
        values: one per round.
        unit: of the values; ``times`` for ratios, ``%`` for shares, empty for other plain numbers.
        is_one_run: whether there are no rounds, so that the single value decides.
    """

    what: str
    against: str
    wanted: float
    is_least: bool
    values: Sequence[float]
    unit: str
    is_one_run: bool = False

    @property
    def to_reach(self) -> str:
        """The bound in words."""
        return f"{'>=' if self.is_least else '<='} {_FORMS[self.unit][0].format(self.wanted)}"

    @property
    def reached(self) -> str:
        """The median in words, and its interval where there is one."""
        interval = median_interval(self.values)
        text = self._text(median(self.values))
        return text if interval is None else f"{text} ({self._text(interval[0])} to {self._text(interval[1])})"

    @property
    def met(self) -> str:
        """``yes`` or ``no`` where the whole interval is on one side of the bound, else ``undecided``."""
        interval = (self.values[0], self.values[0]) if self.is_one_run else median_interval(self.values)
        if interval is None:
            return "too few rounds"
        worst, best = interval if self.is_least else interval[::-1]
        if self._is_within(worst):
            return "yes"
        return "undecided" if self._is_within(best) else "**no**"

    def _is_within(self, value: float) -> bool:
        return value >= self.wanted if self.is_least else value <= self.wanted

    def _text(self, value: float) -> str:
        return _FORMS[self.unit][1].format(value)


def table(verdicts: Sequence[Verdict]) -> str:
    """The targets as a Markdown section; the column ``against`` is left out where it is empty."""
    names = ["what", "against", "to reach", "reached", "met"]
    rows = [[one.what, one.against, one.to_reach, one.reached, one.met] for one in verdicts]
    if not any(one.against for one in verdicts):
        for cells in (names, *rows):
            del cells[1]
    return "## Targets\n\n" + grid(names, rows)
