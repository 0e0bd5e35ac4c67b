"""Compares the slowest picture files that are not refused with honest ones of the same format, size and coding.

::

    python -m bench.reliability.slowest_pictures [--side 1024] [FORMAT ...]

Prints one line per file, refused or accepted: the CPU time from bytes to a model's input, as in the service. For each
format it prints the largest ratio to an honest file among the accepted files.
"""

import argparse
import sys
import time
from importlib import import_module
from types import ModuleType

from bench.reliability.hostile_pictures.requests import FORMATS
from imaging import PictureError, Target, decode, examine, most_cpu_s

_TARGET = Target(32, 32, "RGB", "cover", light_on_dark=False)
_REPEATS = 3


def cpu_s(data: bytes) -> tuple[float, str]:
    """(the shortest of several CPU times of reading a file, the reason if it was refused)."""
    best, reason, most_s = float("inf"), "", float("inf")
    for _ in range(_REPEATS):
        started = time.process_time()
        try:
            picture = examine(data)
            if not picture.cost.is_bounded:  # the service decodes it in a process with this limit
                most_s = most_cpu_s(picture.estimate_s(_TARGET))
            decode(picture, _TARGET)
        except PictureError as error:
            reason = str(error)
        best = min(best, time.process_time() - started)
    return (most_s, "ended after that time") if best > most_s else (best, reason)


def worst_ratio(name: str, module: ModuleType, side: int) -> float:
    """Measures all files of one format; returns the largest ratio among those that are accepted."""
    honest = {coding: cpu_s(data)[0] for coding, data in module.honest(side, side)}
    for coding, seconds in honest.items():
        print(f"{name:5} {side:5} honest {coding:42} {1e3 * seconds:10.2f} ms")
    worst = 0.0
    for file in module.hostile(side, side):
        seconds, reason = cpu_s(file.data)
        ratio = seconds / honest[file.coding]
        worst = max(worst, 0.0 if reason else ratio)
        said = f"refused: {reason}" if reason else "accepted"
        print(f"{name:5} {side:5} {file.name:49} {1e3 * seconds:10.2f} ms {ratio:7.2f} {len(file.data):9} B {said}")
    return worst


def main() -> int:
    """Measures the formats that are named, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("formats", nargs="*", metavar="FORMAT", help="some of " + ", ".join(FORMATS))
    parser.add_argument("--side", type=int, default=1024, help="width and height, in pixels")
    options = parser.parse_args()
    for name in options.formats or FORMATS:
        worst = worst_ratio(name, import_module(f"bench.reliability.hostile_pictures.{name}"), options.side)
        print(
            f"{name}: at {options.side} pixels a side, an accepted file costs at most {worst:.1f} times an honest one"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
