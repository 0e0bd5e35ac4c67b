"""Draws the curves of the growth measurements."""

from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator, PercentFormatter

_INK, _OURS, _SECOND, _THIRD = "#1e293b", "#c2410c", "#0f766e", "#6d28d9"
Points = list[dict[str, Any]]
Curve = tuple[str, str, str]
"""(name of a figure of each point, title, colour)."""
_PLAIN = FuncFormatter(lambda value, _: f"{value:,g}")


def draw_growth(found: dict[str, Points], path: Path) -> None:
    """Draws four panels: load, connections, models, cores.

    Args:
        found: the points of each, as :mod:`bench.growth.measurements` gives them.
        path: of the PNG.
    """
    plt.rcParams.update({"font.size": 9, "font.family": "DejaVu Sans", "text.color": _INK, "axes.labelcolor": _INK})
    figure, panels = plt.subplots(2, 2, figsize=(10, 7))
    _load(panels[0, 0], found["load"])
    _connections(panels[0, 1], found["connections"])
    _models(panels[1, 0], found["models"])
    _cores(panels[1, 1], found["cores"])
    figure.tight_layout()
    figure.savefig(path, dpi=130)
    plt.close(figure)


def _load(axes: Axes, points: Points) -> None:
    shares = [point["share"] for point in points]
    for name, title, color in (("p50_ms", "p50", _OURS), ("p99_ms", "p99", _SECOND), ("p999_ms", "p99.9", _THIRD)):
        _line(axes, shares, points, name, color=color, title=title)
    axes.set_yscale("log")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    _finish(axes, "Latency against offered load, open loop, one core", "share of the capacity in a closed loop", "ms")


def _connections(axes: Axes, points: Points) -> None:
    rate, memory = ("requests_per_s", "requests / s", _OURS), ("pss_mib", "memory, MiB", _SECOND)
    _two_scales(axes, points, "connections", rate, memory)
    _finish(axes, "Busy connections, one core", "connections", "requests / s")


def _models(axes: Axes, points: Points) -> None:
    _two_scales(axes, points, "models", ("pss_mib", "memory, MiB", _SECOND), ("start_s", "start, s", _OURS))
    _finish(axes, "Models (copies of cifar10/2), one core", "models", "MiB")


def _two_scales(axes: Axes, points: Points, grown: str, left: Curve, right: Curve) -> None:
    """Draws one curve on the left axis, and one on the right axis."""
    counts = [point[grown] for point in points]
    _at_each(axes, counts)
    beside = axes.twinx()
    for side, (name, title, color), where in ((axes, left, ""), (beside, right, " (right)")):
        _line(side, counts, points, name, color=color, title=title + where)
    _finish_right(beside)


def _cores(axes: Axes, points: Points) -> None:
    counts = [point["cores"] for point in points]
    axes.bar([str(count) for count in counts], [point["requests_per_s"] for point in points], color=_OURS, width=0.5)
    for place, point in enumerate(points):
        text = f"{point['requests_per_s']:,.0f}/s\n{point['pss_mib']:.0f} MiB"
        axes.text(place, point["requests_per_s"], text, ha="center", va="bottom")
    axes.set_ylim(top=1.25 * max(point["requests_per_s"] for point in points))
    _finish(axes, "Cores, a worker on each, the load generator beside them", "cores", "requests / s")


def _line(axes: Axes, places: list[Any], points: Points, name: str, *, color: str, title: str) -> None:
    axes.plot(places, [point[name] for point in points], "o-", color=color, label=title, markersize=4)
    low, high = zip(*(point["spread"][name] for point in points), strict=True)
    axes.fill_between(places, low, high, color=color, alpha=0.15, linewidth=0)


def _at_each(axes: Axes, counts: list[int]) -> None:
    """A logarithmic axis with each count on it, as a number."""
    axes.set_xscale("log")
    axes.set_xticks(counts)
    axes.xaxis.set_major_formatter(_PLAIN)
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_minor_locator(NullLocator())


def _finish_right(axes: Axes) -> None:
    axes.set_ylim(bottom=0)
    axes.spines[["top"]].set_visible(False)
    axes.legend(loc="lower right", frameon=False)


def _finish(axes: Axes, title: str, x_label: str, y_label: str) -> None:
    axes.set_title(title, fontsize=10)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.spines[["top"]].set_visible(False)
    axes.yaxis.set_major_formatter(_PLAIN)
    if axes.get_yscale() == "linear":
        axes.set_ylim(bottom=0)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="upper left" if axes.get_yscale() == "log" else "lower left", frameon=False)
