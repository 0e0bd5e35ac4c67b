"""Ten times the load that the service can take."""

import asyncio
import os
from pathlib import Path

from bench.load import Load, drive
from bench.reliability.client import load, until, watch_memory
from tests.process import SAMPLES, ServerProcess


async def overload(log: Path, seconds: float, clients: int) -> dict[str, object]:
    """Goodput at saturation, then with ten times the clients, and a second model beside the flood.

    The service has one core and the load the other; wrk is the flood, which leaves the other model's client room.
    """
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[:1])  # inherited by the service
    with ServerProcess(log, "--queue-capacity", "64", "--max-images-per-request", "64") as process:
        os.sched_setaffinity(0, cores[1:] or cores)
        pid, url = process.process.pid, f"{process.url}/models/cifar10/predict"

        def flood(concurrency: int, length_s: float) -> Load:
            picture = [SAMPLES / "cifar10_cat_0.png"]
            headers = {"Content-Type": "image/png"}
            return drive(url, picture, headers, concurrency=concurrency, seconds=length_s, cores=cores[1:] or cores)

        flood(clients, 2)
        best = flood(clients, max(2, seconds // 10))
        beside: list[float] = []
        going = until(seconds)
        flooded, other, memory = await asyncio.gather(
            asyncio.to_thread(flood, 10 * clients, seconds),
            load(process, "mnist", 1, going, beside),
            watch_memory(pid, max(1.0, seconds / 20), going),
        )
    best_per_s = best.requests / best.duration_s
    served_per_s = (flooded.requests - flooded.non_2xx + other["accepted"]) / flooded.duration_s
    return {
        "best_per_s": round(best_per_s),
        "offered": flooded.requests,
        "accepted": flooded.requests - flooded.non_2xx,
        "refused": flooded.non_2xx,
        "broken": flooded.socket_errors,
        "goodput": round(served_per_s / best_per_s, 3),
        "p99_ms": flooded.p99_ms,
        "other_model": dict(other),
        "other_p99_ms": round(1e3 * sorted(beside)[int(0.99 * len(beside))], 1),
        "memory_mib_at_s": memory,
    }
