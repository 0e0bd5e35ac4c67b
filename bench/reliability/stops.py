"""Measures how long hostile requests block the event loop: while it is blocked, no health probe is answered."""

import http.client
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from bench.reliability.hostile_bodies import HeavyRequest, heavy_requests
from bench.reliability.hostile_pictures.requests import picture_requests
from bench.reliability.probe import LivenessProbe
from bench.server_process import ServerProcess

_TIMES = 5
_AT_ONCE = 16
_IDLE_S = 0.2


def stops(log: Path) -> dict[str, object]:
    """Sends each heavy request a few times and takes the longest wait of a health probe beside each.

    Returns:
        For each request the statuses, its seconds, and the least, the median and the maximum of the longest waits in
        ms; the same for an idle service. On a machine with other work, the least describes the service best.
    """
    rows: dict[str, dict[str, Any]] = {}
    with ServerProcess(log) as process:
        host, port = process.address
        with LivenessProbe(host, port) as probe:
            idle_s = []
            for _ in range(4 * _TIMES):
                time.sleep(_IDLE_S)
                idle_s.append(probe.longest_s())
            rows["idle"] = _row(idle_s)
            for request in heavy_requests():
                rows[request.name] = _beside(probe, partial(_send_once, host, port, request))
            with ThreadPoolExecutor(_AT_ONCE) as clients:
                for request in picture_requests():
                    rows[request.name] = _beside(probe, partial(_send_many, clients, host, port, request))
    return {"longest_stop_ms": rows, "longest_of_medians_ms": max(row["median"] for row in rows.values())}


def _beside(probe: LivenessProbe, work: Callable[[], set[int]]) -> dict[str, Any]:
    """Does some work a few times; returns its statuses, and the longest waits of a probe at the same time."""
    longest_s, statuses = [], set[int]()
    started = time.perf_counter()
    for _ in range(_TIMES):
        probe.longest_s()
        statuses |= work()
        longest_s.append(probe.longest_s())
    seconds = (time.perf_counter() - started) / _TIMES
    return {"status": sorted(statuses), "seconds": round(seconds, 3), **_row(longest_s)}


def _send_once(host: str, port: int, request: HeavyRequest) -> set[int]:
    return {send(host, port, request)[0]}


def _send_many(clients: ThreadPoolExecutor, host: str, port: int, request: HeavyRequest) -> set[int]:
    """Sends a picture on many connections at once, so that short blocks of the event loop add up."""
    sent = [clients.submit(send, host, port, request) for _ in range(_AT_ONCE)]
    return {answer.result()[0] for answer in sent}


def send(host: str, port: int, request: HeavyRequest) -> tuple[int, bytes]:
    """Sends one request on a new connection; returns status and body of the answer."""
    with closing(http.client.HTTPConnection(host, port, timeout=60)) as connection:
        connection.request("POST", request.path, request.body, dict(request.headers))
        answer = connection.getresponse()
        return answer.status, answer.read()


def _row(longest_s: list[float]) -> dict[str, float]:
    return {
        "least": round(1e3 * min(longest_s), 1),
        "median": round(1e3 * median(longest_s), 1),
        "maximum": round(1e3 * max(longest_s), 1),
    }
