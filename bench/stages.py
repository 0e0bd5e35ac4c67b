"""Profiles a request, by stage and by function: ``make profile``.

::

    load, undisturbed ──> CPU time per request; stage times from /metrics
    load, sampled ──────> share of each stage and function (py-spy, which needs no change to the service)
"""

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from bench import servers
from bench.folders import SCRATCH
from bench.grid import grid
from bench.load import Load, LoadError, drive
from bench.machine import commit
from bench.measured_process import MeasuredProcess
from bench.workloads import make_workloads

_SAMPLES_PER_S = 500
_FUNCTIONS = 30
# The innermost frame that matches one of these paths decides the stage of a sample.
_STAGES = (
    ("service/inference/", "inference: ONNX Runtime"),
    ("service/decoding/", "decode"),
    ("service/batching/", "queue and batch"),
    ("service/api/answers.py", "answer: JSON, Server-Timing"),
    ("service/api/bodies.py", "read and parse the request"),
    ("service/api/requests.py", "read and parse the request"),
    ("service/http/connection.py", "read and parse the request"),
    ("service/api/request_middleware.py", "request id, metrics"),
    ("service/telemetry/metrics", "request id, metrics"),
    ("service/http/protocol.py", "HTTP: uvicorn, httptools, write"),
    ("service/", "endpoint"),
    ("uvicorn/", "HTTP: uvicorn, httptools, write"),
)
_REST = "event loop: uvloop, read, wake-ups"
_FRAME = re.compile(r"(?P<function>.*) \((?P<file>.*?)(?::\d+)?\)")


class Profile(NamedTuple):
    """Samples of one process under load.

    Attributes:
        stages: samples by stage.
        functions: samples by function, without its callees.
        callers: samples by function, with its callees.
    """

    stages: Counter[str]
    functions: Counter[str]
    callers: Counter[str]


def profile(*, concurrency: int, seconds: float, path: Path) -> None:
    """Profiles the service under load, on one core, and writes the page.

    Args:
        concurrency: requests at once.
        seconds: duration of each of the two parts.
        path: of the page; its figures are written beside it as JSON.

    Raises:
        LoadError: py-spy is not installed, or is not permitted to read the service.
    """
    spy = shutil.which("py-spy") or shutil.which("py-spy", path=str(Path(sys.executable).parent))
    if spy is None:
        raise LoadError("py-spy is not installed: pip install py-spy")
    workload = make_workloads()["png"]
    bodies = workload.write(SCRATCH / "profile")
    cores = sorted(os.sched_getaffinity(0))
    server = servers.convoy()
    endpoint = server.path_of(workload)
    with MeasuredProcess(server.command, {}, cores=cores[:1], log=SCRATCH / "server.log") as process:
        process.wait_until_ready(endpoint, workload.bodies[0], workload.headers)

        def load(length_s: float) -> Load:
            headers, others = workload.headers, cores[1:2] or cores
            return drive(process, endpoint, bodies, headers, concurrency=concurrency, seconds=length_s, cores=others)

        load(1)
        before = _metrics(process.url)
        undisturbed = load(seconds)
        means = _means_us(before, _metrics(process.url))
        recording = SCRATCH / "profile.raw"
        options = ["record", "--nonblocking", "--format", "raw", "--rate", str(_SAMPLES_PER_S)]
        options += ["--output", str(recording), "--duration", str(round(seconds))]
        options += ["--pid", str(process.processes()[0].pid)]
        with subprocess.Popen([spy, *options], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as sampler:
            load(seconds + 1)
            _, said = sampler.communicate(timeout=60)
        if sampler.returncode != 0:
            raise LoadError(f"py-spy failed (it may need sudo): {said.strip()}")
    _write(path, read_profile(recording.read_text()), undisturbed, means=means, concurrency=concurrency)


def read_profile(raw: str) -> Profile:
    """Sorts the samples of py-spy's raw format into stages and functions.

    Args:
        raw: one stack per line, ``frame;frame;... count``, outermost first.

    Returns:
        The samples of the event loop's thread.
    """
    stages, functions, callers = Counter[str](), Counter[str](), Counter[str]()
    for line in raw.splitlines():
        stack, _, count = line.rpartition(" ")
        frames = [_FRAME.fullmatch(frame) for frame in stack.split(";")]
        names = [f"{found['function']} ({found['file']})" for found in frames if found]
        if not any("service/__main__.py" in name for name in names):
            continue
        functions[names[-1]] += int(count)
        stages[_stage(names)] += int(count)
        for name in set(names):
            callers[name] += int(count)
    return Profile(stages, functions, callers)


def _stage(names: list[str]) -> str:
    for name in reversed(names):
        if "asyncio/runners.py" in name:
            return _REST
        for part, stage in _STAGES:
            if f"({part}" in name or f"/{part}" in name:
                return stage
    return _REST


def _metrics(url: str) -> dict[str, float]:
    """Every sample of /metrics, summed over its labels."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=10) as answer:
        lines = [line for line in answer.read().decode().splitlines() if line and not line.startswith("#")]
    sums: dict[str, float] = {}
    for line in lines:
        name, value = line.split("{")[0].split(" ")[0], float(line.rpartition(" ")[2])
        sums[name] = sums.get(name, 0.0) + value
    return sums


def _means_us(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """The mean of every histogram between two readings; times in microseconds."""
    means: dict[str, float] = {}
    for name in (name.removesuffix("_sum") for name in after if name.endswith("_sum")):
        count = after[f"{name}_count"] - before.get(f"{name}_count", 0)
        total = after[f"{name}_sum"] - before.get(f"{name}_sum", 0)
        if count:
            means[name] = total / count * (1e6 if name.endswith("_seconds") else 1)
    return means


def _write(path: Path, found: Profile, load: Load, *, means: Mapping[str, float], concurrency: int) -> None:
    total, cpu_us = found.stages.total(), load.cpu_us
    if not total:
        raise LoadError("py-spy saw nothing of the service")
    head = (
        f"# Where the time of a request goes\n\nOne 32x32 PNG per request, {concurrency} at once, server on one core, "
        f"commit {commit()}: {load.requests_per_s:,.0f} requests/s, p50 {load.p50_ms:.2f} ms, "
        f"p99 {load.p99_ms:.2f} ms, {cpu_us:.0f} us of CPU time a request. {total:,} samples of py-spy."
    )
    stages = [(stage, f"{n / total:.1%}", f"{n / total * cpu_us:.1f}") for stage, n in found.stages.most_common()]
    functions = [
        (f"`{name}`", f"{n / total:.1%}", f"{found.callers[name] / total:.1%}", f"{n / total * cpu_us:.1f}")
        for name, n in found.functions.most_common(_FUNCTIONS)
    ]
    measured = [(name, f"{value:,.1f}") for name, value in means.items()]
    blocks = [
        head,
        "## By stage\n\n" + grid(("stage", "share", "us a request"), stages),
        "## By function\n\n" + grid(("function", "itself", "with callees", "us a request"), functions),
        "## As the service counts\n\nMeans of the histograms of `/metrics` over the undisturbed part: microseconds, "
        "or images. A batch's requests wait for each other, so these times are wall time, not shares.\n\n"
        + grid(("histogram", "mean"), measured),
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n\n".join(blocks) + "\n")
    document = {"cpu_us": cpu_us, "requests_per_s": load.requests_per_s, "means": means}
    document |= {"stages": dict(found.stages.most_common()), "functions": dict(found.functions.most_common())}
    path.with_suffix(".json").write_text(json.dumps(document, indent=2) + "\n")
    print(path.read_text())
