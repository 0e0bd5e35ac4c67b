"""Measures how often a function can be called per second."""

import time
from collections.abc import Callable


def runs_per_s(run: Callable[[], object], seconds: float) -> float:
    """Calls per second, after one call that is not counted.

    Args:
        run: the function to time.
        seconds: minimum duration.
    """
    run()
    runs, started = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - started) < seconds:
        run()
        runs += 1
    return runs / elapsed
