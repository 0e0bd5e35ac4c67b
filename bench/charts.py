"""The charts of a report."""

from pathlib import Path
from statistics import median

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from bench.results import Results, Row
from bench.servers import CONVOY, EMPTY
from bench.targets import is_helped

_OURS, _THEIRS, _INK = "#c2410c", "#94a3b8", "#1e293b"
_ROWS = (Row("png", 1, 1), Row("png", 16, 1), Row("png", 64, 1))


def draw_charts(results: Results, stem: Path) -> list[Path]:
    """Draws the charts of a run with peers.

    Args:
        results: of a run.
        stem: path and start of the file names.

    Returns:
        The files; none where there are no peers.
    """
    rows = [row for row in _ROWS if row in results.rows()]
    if not rows or len(_best_settings(results, rows[0])) < 2:
        return []
    plt.rcParams.update({"font.size": 10, "font.family": "DejaVu Sans", "text.color": _INK, "axes.labelcolor": _INK})
    return [_throughput(results, rows, stem), _latency(results, rows, stem)]


def _throughput(results: Results, rows: list[Row], stem: Path) -> Path:
    figure, panels = _panels(results, rows)
    for axes, row in zip(panels, rows, strict=True):
        best = sorted(_best_settings(results, row), key=lambda key: _median(results, row, key))
        for place, key in enumerate(best):
            values = _values(results, row, key)
            ours = key[0] == CONVOY
            axes.barh(place, median(values), color=_OURS if ours else _THEIRS, height=0.68)
            axes.plot([min(values), max(values)], [place, place], color=_INK, linewidth=1)
            text = f" {median(values):,.0f}" + ("" if ours else f"  {key[1]}")
            axes.text(max(values), place, text, va="center", fontsize=8, fontweight="bold" if ours else "normal")
        axes.set_xlim(0, max(_median(results, row, key) for key in best) * 1.75)
        _finish(axes, row, best, "requests / s")
    figure.suptitle("One 32x32 PNG per request, server on one core: each at its best setting", fontsize=12)
    return _save(figure, stem.with_name(f"{stem.name}-throughput.png"))


def _latency(results: Results, rows: list[Row], stem: Path) -> Path:
    figure, panels = _panels(results, rows)
    for axes, row in zip(panels, rows, strict=True):
        p99 = {key: results.figure(row, key, lambda cell: cell.p99_ms) or 0 for key in _best_settings(results, row)}
        best = sorted(p99, key=lambda key: -p99[key])
        for place, key in enumerate(best):
            p50 = results.figure(row, key, lambda cell: cell.p50_ms) or 0
            color = _OURS if key[0] == CONVOY else _THEIRS
            axes.plot([p50, p99[key]], [place, place], color=color, linewidth=3, solid_capstyle="round")
            axes.plot(p50, place, "o", color=color, markersize=7)
            axes.plot(p99[key], place, "|", color=color, markersize=14, markeredgewidth=3)
            axes.text(p99[key] * 1.15, place, f"{_short(p50)} / {_short(p99[key])}", va="center", fontsize=8)
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        left, right = axes.get_xlim()
        axes.set_xlim(left * 0.9, right * 4)
        _finish(axes, row, best, "latency in ms, logarithmic: p50 (dot) to p99 (bar)")
    figure.suptitle("Latency of one 32x32 PNG under full load, same runs and settings", fontsize=12)
    return _save(figure, stem.with_name(f"{stem.name}-latency.png"))


def _best_settings(results: Results, row: Row) -> list[tuple[str, str]]:
    """The fastest setting of every server in a row, among those without Convoy's decoders."""
    best: dict[str, tuple[str, str]] = {}
    for key in results.settings(row):
        if key[0] == EMPTY or is_helped(key):
            continue
        if key[0] not in best or _median(results, row, key) > _median(results, row, best[key[0]]):
            best[key[0]] = key
    return list(best.values())


def _median(results: Results, row: Row, key: tuple[str, str]) -> float:
    return median(_values(results, row, key))


def _values(results: Results, row: Row, key: tuple[str, str]) -> list[float]:
    return [cell.requests_per_s for cell in results.cells_of(row, key)]


def _short(value: float) -> str:
    """Two significant digits, or a whole number from 10 on, without an exponent."""
    return f"{value:.2g}" if value < 10 else f"{value:,.0f}"


def _panels(results: Results, rows: list[Row]) -> tuple[Figure, list[Axes]]:
    """A figure with one panel per row, and with space for a line per server."""
    count = max(len(_best_settings(results, row)) for row in rows)
    figure, panels = plt.subplots(1, len(rows), figsize=(4.6 * len(rows), 1.3 + 0.42 * count), squeeze=False)
    return figure, list(panels[0])


def _finish(axes: Axes, row: Row, servers: list[tuple[str, str]], label: str) -> None:
    axes.set_yticks(range(len(servers)), [name for name, _ in servers])
    axes.set_ylim(-0.7, len(servers) - 0.3)
    for text, (name, _) in zip(axes.get_yticklabels(), servers, strict=True):
        text.set_fontweight("bold" if name == CONVOY else "normal")
    axes.set_title(f"{row.concurrency} requests at once" if row.concurrency > 1 else "1 request at a time", fontsize=10)
    axes.set_xlabel(label, fontsize=9)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=8)


def _save(figure: Figure, path: Path) -> Path:
    figure.tight_layout()
    figure.savefig(path, dpi=130)
    plt.close(figure)
    return path
