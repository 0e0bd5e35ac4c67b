"""Runs the rounds: in each, every server is started, checked, measured under every load, and stopped.

The order is rotated by a few places from round to round, so that the place in it does not favour a server.
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from bench.answers import WrongAnswerError, check
from bench.folders import ROOT, SCRATCH
from bench.load import LoadError, drive
from bench.measured_process import MeasuredProcess
from bench.results import Cell, Results, Row, Start
from bench.running_server import ServerFailedError
from bench.servers import CONVOY, Server
from bench.workloads import Workload

_WARM_UP_S = 1.0
_CONCURRENCIES = {"jpeg": (16,), "bulk": (4,), "oip": (4,)}
_SMALL = 1, 16, 64
_TWO_WORKERS = (64,)


@dataclass(frozen=True, slots=True)
class Plan:
    """The settings of the rounds.

    Attributes:
        rounds: the number of rounds.
        seconds: duration of each measurement.
        server_core: the core of servers with one worker.
        load_core: the core of the load generator for these servers.
        rows: names of the workloads to measure; empty for all.
    """

    rounds: int
    seconds: float
    server_core: int
    load_core: int
    rows: tuple[str, ...] = ()


def run_rounds(servers: Sequence[Server], workloads: dict[str, Workload], plan: Plan, results: Results) -> None:
    """Measures everything and adds it to the results.

    A server that fails is left out from then on, with the reason in the results.

    Args:
        servers: in the order of the first round.
        workloads: by name.
        plan: the settings of the rounds.
        results: the new rounds are added after those that they hold.
    """
    first = results.rounds + 1
    for number in range(first, first + plan.rounds):
        results.in_process.append({"round": number} | _measure_in_process(plan.server_core))
        turn = (number - 1) * 3 % len(servers)
        for server in [*servers[turn:], *servers[:turn]]:
            if server.title in results.left_out:
                continue
            print(f"round {number}: {server.title}", flush=True)
            try:
                _measure(server, number, workloads, plan, results)
            except (ServerFailedError, LoadError, OSError) as error:
                results.left_out[server.title] = str(error)
                print(f"  left out: {error}", flush=True)


def rows_of(server: Server, plan: Plan) -> list[Row]:
    """The rows in which a server is measured."""
    wanted = [name for name in server.workloads if not plan.rows or name in plan.rows]
    if server.workers > 1:
        return [Row(name, concurrency, server.workers) for name in wanted for concurrency in _TWO_WORKERS]
    return [Row(name, concurrency, 1) for name in wanted for concurrency in _CONCURRENCIES.get(name, _SMALL)]


def _measure(server: Server, number: int, workloads: dict[str, Workload], plan: Plan, results: Results) -> None:
    rows = rows_of(server, plan)
    if not rows:
        return
    adapted = {row.workload: server.adapt(workloads[row.workload]) for row in rows}
    everywhere = sorted(os.sched_getaffinity(0))
    alone = server.workers == 1
    cores = [plan.server_core] if alone else everywhere
    with MeasuredProcess(server.command, server.variables, cores=cores, log=SCRATCH / "server.log") as process:
        ready_s, wrong = _check_answers(process, server, adapted)
        results.left_out |= wrong
        for row in rows:
            if f"{server.title}, {row.workload}" in wrong:
                continue
            workload = adapted[row.workload]
            load = drive(
                process,
                server.path_of(workload),
                workload.write(SCRATCH / server.name.replace(" ", "-")),
                workload.headers,
                concurrency=row.concurrency,
                seconds=plan.seconds,
                cores=[plan.load_core] if alone else everywhere,
                warm_up_s=_WARM_UP_S,
            )
            if not load.requests:
                raise ServerFailedError(f"answered nothing: {row}")
            results.cells.append(
                Cell(
                    round=number,
                    server=server.name,
                    setting=server.setting,
                    workload=row.workload,
                    concurrency=row.concurrency,
                    workers=row.workers,
                    requests_per_s=round(load.requests_per_s, 1),
                    images_per_s=round(load.requests_per_s * workload.images, 1),
                    p50_ms=load.p50_ms,
                    p99_ms=load.p99_ms,
                    cpu_us=round(load.cpu_us, 1),
                    non_2xx=load.non_2xx,
                    socket_errors=load.socket_errors,
                    load_core_share=round(load.core_share, 3),
                )
            )
        memory = process.memory()
        count = len(process.processes())
        results.starts.append(
            Start(number, server.name, server.setting, round(ready_s, 3), memory.rss_mib, memory.pss_mib, count)
        )


def _check_answers(
    process: MeasuredProcess, server: Server, workloads: dict[str, Workload]
) -> tuple[float, dict[str, str]]:
    """Waits for the first good answer, then checks the answer to every body.

    Returns:
        (seconds from start to ready, wrongly answered workloads with the reason).
    """
    first = next(iter(workloads.values()))
    ready_s = process.wait_until_ready(server.path_of(first), first.bodies[0], first.headers)
    if server.workers > 1 and server.name == CONVOY and len(process.processes()) < server.workers:
        raise ServerFailedError(f"{server.setting} started {len(process.processes())} process")
    wrong: dict[str, str] = {}
    for name, workload in workloads.items() if server.answers else ():
        try:
            for index, body in enumerate(workload.bodies):
                check(workload, index, *process.post(server.path_of(workload), body, workload.headers))
        except WrongAnswerError as error:
            wrong[f"{server.title}, {name}"] = str(error)
    return ready_s, wrong


def _measure_in_process(core: int) -> dict[str, float]:
    command = ["taskset", "-c", str(core), sys.executable, "-m", "bench.in_process"]
    environment = os.environ | {"ORT_DISABLE_TELEMETRY": "1"}
    finished = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True)
    measured: dict[str, float] = json.loads(finished.stdout)
    return measured
