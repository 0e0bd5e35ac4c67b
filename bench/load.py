"""The load: wrk, in one thread, with as many connections as there are requests at once."""

import json
import os
import resource
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.running_server import RunningServer

_SCRIPT = Path(__file__).with_name("post.lua")
_MARK = "BENCH "


class LoadError(RuntimeError):
    """The load could not be made, or gave no result."""


@dataclass(frozen=True, slots=True)
class Load:
    """The results of one run of wrk.

    Attributes:
        requests: the number of answers.
        duration_s: of the run.
        p50_ms: median latency of a request.
        p99_ms: 99th percentile of the latency.
        non_2xx: answers with an error status.
        socket_errors: connections refused, broken or timed out.
        core_share: share of a core that wrk itself used; near 1, wrk and not the server was the limit.
        cpu_us: CPU time of all processes of the server per request, in microseconds.
    """

    requests: int
    duration_s: float
    p50_ms: float
    p99_ms: float
    non_2xx: int
    socket_errors: int
    core_share: float
    cpu_us: float

    @property
    def requests_per_s(self) -> float:
        """Answers per second, including errors."""
        return self.requests / self.duration_s

    @property
    def errors(self) -> int:
        """Answers that are errors, and connections that failed."""
        return self.non_2xx + self.socket_errors


def require_wrk() -> str:
    """The version of wrk.

    Raises:
        LoadError: it is not installed; the message says how to install it.
    """
    if shutil.which("wrk") is None:
        raise LoadError("wrk is not installed: apt-get install wrk")
    return subprocess.run(["wrk", "-v"], capture_output=True, text=True, check=False).stdout.split("[")[0].strip()


def drive(
    server: RunningServer,
    path: str,
    bodies: Sequence[Path],
    headers: Mapping[str, str],
    *,
    concurrency: int,
    seconds: float,
    cores: Sequence[int] = (),
    threads: int = 1,
    warm_up_s: float = 0.0,
) -> Load:
    """Posts bodies with wrk; each connection sends its next request when the answer has come.

    Args:
        server: that gets the requests.
        path: to post to.
        bodies: files, sent in turn.
        headers: of every request.
        concurrency: requests at once, each on its own connection.
        seconds: duration; wrk takes whole seconds.
        cores: that wrk may use; by default all that this process may use.
        threads: of wrk; at most one per connection.
        warm_up_s: duration of the same load before, which is not counted.

    Returns:
        The results of wrk.

    Raises:
        LoadError: wrk failed.
    """
    if warm_up_s:
        drive(server, path, bodies, headers, concurrency=concurrency, seconds=warm_up_s, cores=cores, threads=threads)
    affinity = ",".join(map(str, cores or sorted(os.sched_getaffinity(0))))
    command = ["taskset", "-c", affinity, "wrk", "--threads", str(threads), "--connections", str(concurrency)]
    command += ["--duration", f"{max(1, round(seconds))}s", "--timeout", "10s", "--script", str(_SCRIPT)]
    environment = os.environ | {
        "BENCH_BODIES": "\n".join(map(str, bodies)),
        "BENCH_HEADERS": "\n".join(f"{name}: {value}" for name, value in headers.items()),
    }
    before_s, server_before_s = children_cpu_s(), server.cpu_s()
    finished = subprocess.run(
        [*command, f"{server.url}{path}"], env=environment, capture_output=True, text=True, check=False
    )
    used_s, server_s = children_cpu_s() - before_s, server.cpu_s() - server_before_s
    line = next((line for line in finished.stdout.splitlines() if line.startswith(_MARK)), None)
    if line is None:
        raise LoadError(f"wrk failed: {finished.stderr.strip() or finished.stdout.strip()}")
    counted = json.loads(line.removeprefix(_MARK))
    duration_s = counted["duration_us"] / 1e6
    return Load(
        requests=counted["requests"],
        duration_s=duration_s,
        p50_ms=counted["p50_us"] / 1e3,
        p99_ms=counted["p99_us"] / 1e3,
        non_2xx=counted["refused"],
        socket_errors=counted["broken"],
        core_share=used_s / duration_s,
        cpu_us=1e6 * server_s / max(1, counted["requests"]),
    )


def children_cpu_s() -> float:
    """CPU seconds of the child processes that have ended; a server that still runs is not included."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
