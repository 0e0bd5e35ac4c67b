"""How often something can be done in a second, one after the other."""

import time
from collections.abc import Callable


def runs_per_s(run: Callable[[], object], seconds: float) -> float:
    """Runs a second, after one that is not counted.

    Args:
        run: what is timed.
        seconds: to go on for, at least.
    """
    run()
    runs, started = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - started) < seconds:
        run()
        runs += 1
    return runs / elapsed
