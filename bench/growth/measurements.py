"""Measures the service with growing load, connections, models and cores."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Self

import onnx

from bench.folders import MODELS, SCRATCH
from bench.growth.open_loop import offer
from bench.load import drive
from bench.measured_process import MeasuredProcess
from bench.request_bytes import request_bytes
from bench.servers import convoy
from bench.workloads import make_workloads

SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
MODEL_COUNTS = (1, 2, 5, 10, 20, 50)
CONNECTIONS = (1, 4, 16, 64, 256, 1024, 4096)
Point = dict[str, Any]
_PARTS = {"p50_ms": 0.5, "p99_ms": 0.99, "p999_ms": 0.999}


class Service(MeasuredProcess):
    """The service, started for one measurement.

    Args:
        cores: that it may use.
        flags: of it.
    """

    def __init__(self, cores: Sequence[int], *flags: str) -> None:
        self.workload = make_workloads()["png"]
        self.bodies = self.workload.write(SCRATCH / "growth")
        super().__init__([*convoy().command, *flags], {}, cores=cores, log=SCRATCH / "growth" / "server.log")

    def __enter__(self) -> Self:
        """The service, ready."""
        super().__enter__()
        self.start_s = self.wait_until_ready("/predict", self.workload.bodies[0], self.workload.headers)
        return self

    def closed(self, connections: int, seconds: float, cores: Sequence[int], path: str = "/predict") -> Point:
        """Closed-loop load by wrk: each connection sends its next request when its answer has come."""
        headers = self.workload.headers
        load = drive(self, path, self.bodies, headers, concurrency=connections, seconds=seconds, cores=cores)
        return {
            "requests_per_s": load.requests_per_s,
            "p50_ms": load.p50_ms,
            "p99_ms": load.p99_ms,
            "errors": load.errors,
            "cpu_us": load.cpu_us,
            "pss_mib": self.memory().pss_mib,
        }


def grow_load(rounds: int, seconds: float, server_core: int, load_core: int) -> list[Point]:
    """Latency in an open loop, at shares of the closed-loop throughput, on one core."""
    os.sched_setaffinity(0, {load_core})
    points: dict[float, list[Point]] = {share: [] for share in SHARES}
    capacities = []
    with Service([server_core]) as service:
        media_type = service.workload.headers["Content-Type"]
        requests = [request_bytes("/predict", body, media_type) for body in service.workload.bodies]
        service.closed(64, 2, [load_core])
        for number in range(rounds):
            capacity = service.closed(64, seconds, [load_core])["requests_per_s"]
            capacities.append(capacity)
            for share in SHARES:
                load = offer(service.address[1], requests, rate=share * capacity, seconds=seconds, seed=100 * number)
                ordered = sorted(load.latencies_s)
                points[share].append(
                    {name: 1e3 * ordered[int(part * (len(ordered) - 1))] for name, part in _PARTS.items()}
                    | {"errors": load.refused + load.unanswered, "rate": share * capacity}
                )
    return [{"share": share} | _medians(found) for share, found in points.items()]


def grow_connections(rounds: int, seconds: float, server_core: int, load_core: int) -> list[Point]:
    """Throughput, latency and memory with a growing number of busy connections, on one core."""
    points: dict[int, list[Point]] = {count: [] for count in CONNECTIONS}
    for _ in range(rounds):
        with Service([server_core], "--max-connections", "8192") as service:
            service.closed(16, 2, [load_core])
            for count in CONNECTIONS:
                points[count].append(service.closed(count, seconds, [load_core]))
    return [{"connections": count} | _medians(found) for count, found in points.items()]


def grow_models(rounds: int, seconds: float, server_core: int, load_core: int) -> list[Point]:
    """Start, memory, and throughput of the first and the last model, with a growing number of models, on one core."""
    points: dict[int, list[Point]] = {count: [] for count in MODEL_COUNTS}
    folder = SCRATCH / "growth" / "models"
    for count in MODEL_COUNTS:
        names = list(_copies(folder / str(count), count))
        flags = ("--models-dir", str(folder / str(count)), "--default-model", names[0])
        with Service([server_core], *flags):
            pass  # the service now remembers that these files passed its checks
        for _ in range(rounds):
            with Service([server_core], *flags) as service:
                idle = service.memory().pss_mib
                one = service.closed(16, seconds, [load_core])
                last = service.closed(16, seconds, [load_core], f"/models/{names[-1]}/predict")
                points[count].append(
                    {
                        "start_s": service.start_s,
                        "idle_pss_mib": idle,
                        "pss_mib": last["pss_mib"],
                        "requests_per_s": one["requests_per_s"],
                        "last_requests_per_s": last["requests_per_s"],
                    }
                )
    return [{"models": count} | _medians(found) for count, found in points.items()]


def grow_cores(rounds: int, seconds: float, cores: Sequence[int]) -> list[Point]:
    """Throughput on one core, two cores and so on; the load generator runs on all these cores."""
    points: dict[int, list[Point]] = {count: [] for count in range(1, len(cores) + 1)}
    for _ in range(rounds):
        for count, found in points.items():
            with Service(cores[:count], "--workers", str(count)) as service:
                service.closed(64, 2, cores)
                found.append(service.closed(64, seconds, cores))
    return [{"cores": count} | _medians(found) for count, found in points.items()]


def _medians(found: list[Point]) -> Point:
    """The median of each figure over the rounds, and its least and greatest value."""
    spread = {name: [round(edge(point[name] for point in found), 4) for edge in (min, max)] for name in found[0]}
    return {name: round(median(point[name] for point in found), 4) for name in found[0]} | {"spread": spread}


def _copies(folder: Path, count: int) -> Iterator[str]:
    """Writes version 2 of cifar10 under many names: models of one size that share nothing."""
    model = onnx.load(MODELS / "cifar10" / "2" / "model.onnx")
    for number in range(count):
        name = f"copy-{number:02}"
        for entry in model.metadata_props:
            if entry.key in {"convoy.name", "convoy.version"}:
                entry.value = f'"{name}"' if entry.key == "convoy.name" else '"1"'
        path = folder / name / "1" / "model.onnx"
        path.parent.mkdir(parents=True, exist_ok=True)
        onnx.save(model, path)
        yield name
