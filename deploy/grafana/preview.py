"""Draws the dashboard's panels from Prometheus' answers, without Grafana.

    python deploy/grafana/preview.py http://127.0.0.1:9090 docs/figures/dashboard.png --minutes 5

Needs matplotlib and httpx (the training and dev extras).
"""

import argparse
import json
import math
import re
import time
from pathlib import Path
from typing import Any

import httpx
import matplotlib as mpl

mpl.use("agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

COLUMNS = 3
MOST_IN_LEGEND = 8
UNITS = {
    "s": lambda value, _: f"{value * 1e3:g} ms" if value < 1 else f"{value:g} s",
    "percentunit": lambda value, _: f"{value:.0%}",
    "bytes": lambda value, _: f"{value / 2**20:.0f} MiB",
    "reqps": lambda value, _: f"{value:g}/s",
    "ops": lambda value, _: f"{value:g}/s",
}


def main() -> None:
    """Draws every panel into one picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("prometheus", help="its URL")
    parser.add_argument("picture", type=Path)
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--until", type=float, default=time.time(), help="seconds since 1970; now")
    parser.add_argument("--rate-interval", default="1m", help="what Grafana calls $__rate_interval")
    arguments = parser.parse_args()

    dashboard = json.loads((Path(__file__).parent / "dashboards" / "convoy.json").read_text())
    panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    figure, axes = plt.subplots(math.ceil(len(panels) / COLUMNS), COLUMNS, figsize=(18, 3 * len(panels) / COLUMNS))
    now = arguments.until
    with httpx.Client(base_url=arguments.prometheus, timeout=60) as client:
        for panel, axis in zip(panels, axes.flat, strict=False):
            for target in panel["targets"]:
                query = _plain(target["expr"], arguments.rate_interval)
                times = {"start": now - arguments.minutes * 60, "end": now, "step": arguments.minutes * 60 / 200}
                answer = client.get("/api/v1/query_range", params={"query": query, **times}).json()
                _draw(axis, answer["data"]["result"], target["legendFormat"], now)
            _finish(axis, panel)
    for axis in axes.flat[len(panels) :]:
        axis.set_axis_off()
    figure.tight_layout()
    figure.savefig(arguments.picture, dpi=80)


def _plain(query: str, rate_interval: str) -> str:
    """The query as Grafana sends it with every variable set to all."""
    return re.sub(r"\$(job|model)\b", ".*", query.replace("$__rate_interval", rate_interval))


def _draw(axis: Axes, result: list[dict[str, Any]], legend: str, now: float) -> None:
    for series in result:
        label = legend
        for name, value in series["metric"].items():
            label = label.replace(f"{{{{{name}}}}}", value)
        values = [(at - now, float(value)) for at, value in series["values"]]
        axis.plot(*zip(*values, strict=True), label=label, linewidth=1)


def _finish(axis: Axes, panel: dict[str, Any]) -> None:
    defaults = panel["fieldConfig"]["defaults"]
    axis.set_title(panel["title"], fontsize=10, loc="left")
    axis.tick_params(labelsize=7)
    axis.set_xlabel("s", fontsize=7, loc="right", labelpad=-2)
    axis.grid(alpha=0.3)
    for step in defaults.get("thresholds", {}).get("steps", ())[1:]:
        axis.axhline(step["value"], color=step["color"], linestyle="--", linewidth=0.8)
    if "min" in defaults:
        axis.set_ylim(0, axis.dataLim.ymax * 1.1 if axis.lines and axis.dataLim.ymax > 0 else 1)
    if defaults["unit"] in UNITS:
        axis.yaxis.set_major_formatter(FuncFormatter(UNITS[defaults["unit"]]))
    handles, labels = axis.get_legend_handles_labels()
    more = [f"and {len(labels) - MOST_IN_LEGEND} more"] if len(labels) > MOST_IN_LEGEND else []
    shown = labels[:MOST_IN_LEGEND] + more
    axis.legend(handles[: len(shown)], shown, fontsize=6, loc="upper left")
    if not handles:
        axis.text(0.5, 0.5, "no data", transform=axis.transAxes, ha="center")


if __name__ == "__main__":
    main()
