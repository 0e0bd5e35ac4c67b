"""What a GPU is to reach, against what was measured in the same run."""

from collections.abc import Mapping
from typing import Any

_BULK_IMAGES_PER_S = 1_000_000
_SHARE_OF_RAW = 0.6
_SHARE_OF_CONSTANT = 0.9
_ADDED_MS = 1.0
_DIFFERENCE = 1e-3
_SAME_CLASS = 0.999
_ACCURACY = 0.001


def table(report: Mapping[str, Any]) -> list[str]:
    """The targets as the lines of a Markdown table.

    Args:
        report: of a whole run, before it is written.
    """
    lines = ["## Targets", "", "| what | to reach | reached | met |", "| --- | --- | --- | --- |"]
    for what, wanted, reached, met in _targets(report):
        lines.append(f"| {what} | {wanted} | {reached} | {'yes' if met else '**no**'} |")
    return lines


def _targets(report: Mapping[str, Any]) -> list[tuple[str, str, str, bool]]:
    service, constant = report["service"], report["bench.gpu.constant_service"]
    raw = max(row["overlapped"] for row in report["raw"])
    bulk_floor = min(_BULK_IMAGES_PER_S, _SHARE_OF_RAW * raw)
    bulk = max(load["images_per_s"] for load in service)
    busiest = max((load for load in constant if load["what"] == "PNG"), key=lambda load: load["requests_per_s"])
    same = next(load for load in service if _alike(load, busiest))
    share = same["requests_per_s"] / busiest["requests_per_s"]
    alone = min((load for load in service if load["what"] == "PNG"), key=lambda load: load["concurrency"])
    added_ms = alone["p50_ms"] - report["one_image_ms"]
    parity = report["parity"]
    found = [
        ("bulk, images/s", f">= {bulk_floor:,.0f}", f"{bulk:,.0f}", bulk >= bulk_floor),
        (
            f"PNG requests, concurrency {busiest['concurrency']}, against a constant answer",
            f">= {_SHARE_OF_CONSTANT}",
            f"{share:.2f}",
            share >= _SHARE_OF_CONSTANT,
        ),
        ("added at concurrency 1, p50", f"< {_ADDED_MS} ms", f"{added_ms:.2f} ms", added_ms < _ADDED_MS),
        (
            "largest difference from the CPU",
            f"<= {_DIFFERENCE}",
            f"{parity['largest_difference']:.1e}",
            parity["largest_difference"] <= _DIFFERENCE,
        ),
        ("same class", f">= {_SAME_CLASS:.1%}", f"{parity['same_class']:.2%}", parity["same_class"] >= _SAME_CLASS),
    ]
    if parity["accuracy"] is not None:
        off = abs(parity["accuracy"] - parity["accuracy_on_cpu"])
        found.append(("accuracy against the CPU", f"within {_ACCURACY:.1%}", f"{off:.2%}", off <= _ACCURACY))
    return found


def _alike(load: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return bool(load["what"] == other["what"] and load["concurrency"] == other["concurrency"])
