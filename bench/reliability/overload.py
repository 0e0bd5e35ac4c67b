"""Ten times the load that the service can take."""

import asyncio
import os
from collections import Counter
from pathlib import Path
from statistics import median
from typing import Final

from bench.folders import SAMPLES
from bench.load import Load, drive
from bench.reliability.client import load, until, watch_memory
from bench.server_process import ServerProcess

_SLICES: Final = 10
_BEST_S: Final = 3


async def overload(log: Path, seconds: float, clients: int) -> dict[str, object]:
    """Goodput at saturation, then with ten times the clients, and a second model under the same overload.

    The service has one core and the load the other. wrk makes the overload, so that its core has time for the other
    model's client. The overload comes in ten slices, each after a short measurement of the best rate, since the speed
    of a shared machine changes within minutes by more than the effect that is measured.
    """
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[:1])  # inherited by the service
    with ServerProcess(log, "--queue-capacity", "64", "--max-images-per-request", "64") as process:
        os.sched_setaffinity(0, cores[1:] or cores)

        def flood(concurrency: int, length_s: float) -> Load:
            picture, headers = [SAMPLES / "cifar10_cat_0.png"], {"Content-Type": "image/png"}
            return drive(
                process, "/models/cifar10/predict", picture, headers, concurrency=concurrency, seconds=length_s
            )

        flood(clients, _BEST_S)
        whole_s = seconds + _SLICES * _BEST_S
        watching = asyncio.create_task(watch_memory(process, max(1.0, whole_s / 20), until(whole_s)))
        best, floods, beside = [], [], list[float]()
        other: Counter[str] = Counter()
        for _ in range(_SLICES):
            best.append(await asyncio.to_thread(flood, clients, _BEST_S))
            flooded, counts = await asyncio.gather(
                asyncio.to_thread(flood, 10 * clients, seconds / _SLICES),
                load(process, "mnist", 1, until(seconds / _SLICES), beside),
            )
            floods.append((flooded, counts["accepted"]))
            other += counts
        memory = await watching
    best_per_s = [run.requests_per_s for run in best]
    served_per_s = [(run.requests - run.non_2xx + accepted) / run.duration_s for run, accepted in floods]
    offered, refused = sum(run.requests for run, _ in floods), sum(run.non_2xx for run, _ in floods)
    return {
        "best_per_s": [round(rate) for rate in best_per_s],
        "offered": offered,
        "accepted": offered - refused,
        "refused": refused,
        "broken": sum(run.socket_errors for run, _ in floods),
        "goodput": round(median(served / rate for served, rate in zip(served_per_s, best_per_s, strict=True)), 3),
        "p99_ms": median(run.p99_ms for run, _ in floods),
        "other_model": dict(other),
        "other_p99_ms": round(1e3 * sorted(beside)[int(0.99 * len(beside))], 1),
        "memory_mib_at_s": memory,
    }
