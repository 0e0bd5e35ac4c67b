"""The performance targets on a GPU, compared with the measurements of one run."""

from collections.abc import Mapping
from typing import Any

from bench.verdict import Verdict

_BULK_IMAGES_PER_S = 1_000_000
_SHARE_OF_RAW = 0.6
_SHARE_OF_CONSTANT = 0.9
_ADDED_MS = 1.0
_DIFFERENCE = 1e-3
_SAME_CLASS = 0.999
_ACCURACY = 0.001


def verdicts(report: Mapping[str, Any]) -> list[Verdict]:
    """Every target.

    Args:
        report: of a whole run, before it is written.
    """
    service, constant = report["service"], report["bench.gpu.constant_service"]
    raw = max(row["overlapped"] for row in report["raw"])
    bulk_floor = min(_BULK_IMAGES_PER_S, _SHARE_OF_RAW * raw)
    bulk = max(load["images_per_s"] for load in service)
    busiest = max((load for load in constant if load["what"] == "PNG"), key=lambda load: load["requests_per_s"])
    same = next(load for load in service if _alike(load, busiest))
    share = same["requests_per_s"] / busiest["requests_per_s"]
    alone = min((load for load in service if load["what"] == "PNG"), key=lambda load: load["concurrency"])
    added_ms = alone["p50_ms"] - report["one_image_ms"]
    beside_constant = f"PNG requests, concurrency {busiest['concurrency']}, against a constant answer"
    parity = report["parity"]
    found = [
        _verdict("bulk", bulk_floor, bulk, "images/s", is_least=True),
        _verdict(beside_constant, _SHARE_OF_CONSTANT, share, "times", is_least=True),
        _verdict("added at concurrency 1, p50", _ADDED_MS, added_ms, "ms"),
        _verdict("largest difference from the CPU", _DIFFERENCE, parity["largest_difference"], ""),
        _verdict("same class", _SAME_CLASS, parity["same_class"], "%", is_least=True),
    ]
    if parity["accuracy"] is not None:
        off = abs(parity["accuracy"] - parity["accuracy_on_cpu"])
        found.append(_verdict("accuracy, difference from the CPU", _ACCURACY, off, "%"))
    return found


def _verdict(what: str, wanted: float, value: float, unit: str, *, is_least: bool = False) -> Verdict:
    return Verdict(what, "", wanted, is_least, [value], unit, is_one_run=True)


def _alike(load: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return bool(load["what"] == other["what"] and load["concurrency"] == other["concurrency"])
