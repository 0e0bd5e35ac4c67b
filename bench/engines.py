"""Compares engines: the same app on uvicorn with one and two processes, and on Ray Serve with each of its proxies.

::

    make ray-env
    python -m bench.engines --rounds 3 --out build/engines.jsonl    adds rows to the file, and prints all medians

Each engine gets all cores, which it shares with the load (wrk). Rounds alternate. ``cpu_us`` is the processor time of
all processes of the engine for one request, which other work on the machine changes less than the rate.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final

from bench.folders import ROOT, SAMPLES
from bench.load import drive
from bench.measured_process import MeasuredProcess

_UVICORN: Final = (sys.executable, "-m", "service")
_RAY: Final = (str(ROOT / ".venv-ray" / "bin" / "python"), "-m", "tests.cluster.ray_server", "--intra-op-threads", "1")
_ENGINES: Final[dict[str, tuple[tuple[str, ...], dict[str, str]]]] = {
    "uvicorn": (_UVICORN, {}),
    "uvicorn, --workers 2": ((*_UVICORN, "--workers", "2"), {}),
    "Ray Serve, HAProxy, 1 replica": (_RAY, {"RAY_SERVE_ENABLE_HA_PROXY": "1", "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1"}),
    "Ray Serve, own proxy, 1 replica": (
        _RAY,
        {"RAY_SERVE_ENABLE_HA_PROXY": "0", "RAY_SERVE_THROUGHPUT_OPTIMIZED": "0"},
    ),
}
_HEADERS: Final = {"Content-Type": "image/png"}
_CONCURRENCIES: Final = (1, 16, 64)
_WARM_UP_S: Final = 2.0


def main(arguments: Sequence[str]) -> int:
    """Measures, and prints the median of each engine at each concurrency."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "engines.jsonl")
    options = parser.parse_args(arguments)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with options.out.open("a") as file:
        for _ in range(options.rounds):
            for engine in _ENGINES:
                for row in _measure(engine, options.seconds):
                    print(json.dumps(row), file=file, flush=True)
    _print_medians([json.loads(line) for line in options.out.read_text().splitlines()])
    return 0


def _measure(engine: str, seconds: float) -> list[dict[str, Any]]:
    command, variables = _ENGINES[engine]
    cores = sorted(os.sched_getaffinity(0))
    pictures = sorted(SAMPLES.glob("cifar10_*.png"))
    rows = []
    log = ROOT / "build" / "engines.log"
    with MeasuredProcess((*command, "--port", "{port}"), variables, cores=cores, log=log) as process:
        process.wait_until_ready("/predict", pictures[0].read_bytes(), _HEADERS)
        for concurrency in _CONCURRENCIES:
            load = drive(
                process, "/predict", pictures, _HEADERS, concurrency=concurrency, seconds=seconds, warm_up_s=_WARM_UP_S
            )
            rows.append(
                {
                    "engine": engine,
                    "concurrency": concurrency,
                    "requests_per_s": round(load.requests_per_s, 1),
                    "p99_ms": load.p99_ms,
                    "cpu_us": round(load.cpu_us),
                    "failed": load.errors,
                }
            )
    return rows


def _print_medians(rows: Sequence[dict[str, Any]]) -> None:
    for engine in _ENGINES:
        for concurrency in _CONCURRENCIES:
            found = [row for row in rows if row["engine"] == engine and row["concurrency"] == concurrency]
            if found:
                figures = {name: median(row[name] for row in found) for name in ("requests_per_s", "p99_ms", "cpu_us")}
                failed = sum(row["failed"] for row in found)
                print(
                    json.dumps(
                        {"engine": engine, "concurrency": concurrency, "n": len(found), **figures, "failed": failed}
                    )
                )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
