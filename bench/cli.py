"""The command line: measure the service, measure it beside its peers, write a report again, profile a request."""

import argparse
import compileall
import datetime as dt
import os
import shlex
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

from bench import servers
from bench.environments import InstallFailedError, environment_of
from bench.folders import REPORTS, ROOT
from bench.load import LoadError, require_wrk
from bench.machine import commit, describe_machine, is_compiled, versions_in
from bench.peers.catalog import PEERS
from bench.report import write_report
from bench.results import Results
from bench.rounds import Plan, run_rounds
from bench.servers import Server
from bench.stages import profile
from bench.workloads import make_workloads

_PACKAGES = ("bench", "contract", "imaging", "network", "service")
"""They are compiled to bytecode before the first round, since only the first start on a machine waits for that."""
_OWN_PACKAGES = (
    "onnxruntime",
    "numpy",
    "pillow",
    "kornia-rs",
    "uvicorn",
    "uvloop",
    "httptools",
    "fastapi",
    "orjson",
    "simplejpeg",
)

_EXAMPLES = """\
examples:
  python -m bench ours                            the service alone: every row that needs no peer
  python -m bench peers                           beside all peers, installed under build/peers
  python -m bench peers --peers mosec,Triton --rows png --rounds 5
  python -m bench peers --continue                more rounds for the report that is there
  python -m bench report bench/reports/peers.json write the report and its charts again
  python -m bench profile --concurrency 64        where the time of a request goes

further measurements, each described in the first lines of its module:
"""

FURTHER: Final = {
    "bench.real_work": "large networks on photographs, beside mosec",
    "bench.growth": "the service with growing load, connections, models and cores",
    "bench.engines": "the same app on uvicorn and on Ray Serve",
    "bench.gpu": "what a GPU does for the service",
    "bench.score": "`convoy score` beside processes that only read, decode and run",
    "bench.score_beside": "`convoy score` beside transformers' pipeline",
    "bench.imported": "from foreign files to their first answers",
    "bench.model_table": "accuracy, calibration, size and speed of each version",
    "bench.photographs": "cifar10 on pictures that are not CIFAR-10's own",
    "bench.trust": "the quality of decisions: label sets, abstaining, familiarity",
    "bench.trust.raps": "sets of labels by RAPS beside the service's",
    "bench.trust.scores": "scores of familiarity on one model",
    "bench.explaining": "the quality and the cost of explanations",
    "bench.differential": "pictures as the service reads them, beside Pillow",
    "bench.reliability": "load, faults and restarts, every request counted",
    "bench.reliability.slowest_pictures": "what the slowest picture files cost",
}
"""Measurements with their own command line, by module. The first lines of each module describe its arguments."""


def main(arguments: Sequence[str]) -> int:
    """Runs one command.

    Args:
        arguments: without the program's name.

    Returns:
        The exit status: 0, or 2 after an error, which a message explains.
    """
    options = _parser().parse_args(arguments)
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that servers stop and results are kept
    try:
        if options.command == "report":
            write_report(Results.read(options.results), options.results)
        elif options.command == "profile":
            profile(concurrency=options.concurrency, seconds=options.seconds, path=REPORTS / "profile.md")
        else:
            _measure(options, ["python", "-m", "bench", *arguments])
    except LoadError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _measure(options: argparse.Namespace, command: list[str]) -> None:
    wrk = require_wrk()
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise LoadError("two cores are needed: one for the server, one for the load")
    plan = Plan(options.rounds, options.seconds, cores[0], cores[1], _split(options.rows))
    path = REPORTS / f"{options.name or options.command}.json"
    results = Results.read(path) if options.resume and path.exists() else Results()
    results.left_out = {}
    results.about = results.about or {
        "machine": asdict(describe_machine()),
        "load_generator": f"{wrk}, one thread, on core {plan.load_core}",
        "server_core": plan.server_core,
        "seconds": plan.seconds,
        "versions": {servers.CONVOY: versions_in(sys.executable, _OWN_PACKAGES)},
        "runs": [],
    }
    date = dt.datetime.now(dt.UTC).strftime("%Y-%m-%d %H:%M UTC")
    run = {"date": date, "commit": commit(), "compiled": is_compiled(), "command": shlex.join(command)}
    results.about["runs"].append(run)
    for package in _PACKAGES:
        compileall.compile_dir(ROOT / package, quiet=1)
    compared = [servers.empty(), *_ours(options)]
    if options.command == "peers":
        compared += _peers(_split(options.peers), results)
    workloads = make_workloads()
    try:
        run_rounds(compared, workloads, plan, results)
    finally:
        if results.cells:
            results.write(path)
            write_report(results, path)
            print(f"report: {path.with_suffix('.md').relative_to(ROOT)}")


def _ours(options: argparse.Namespace) -> list[Server]:
    more = ("multipart",) if options.command == "peers" else ("multipart", "mnist", "oip")
    return [servers.convoy(("png", "jpeg", "bulk", *more)), servers.convoy(workers=2)]


def _peers(names: tuple[str, ...], results: Results) -> list[Server]:
    """The peers that can be installed here; the others are recorded in the results, with the reason."""
    known = {peer.name.lower(): peer for peer in PEERS}
    if unknown := [name for name in names if name.lower() not in known]:
        raise LoadError(f"no peer is called {unknown[0]!r}; there are {', '.join(peer.name for peer in PEERS)}")
    found: list[Server] = []
    for peer in (known[name.lower()] for name in names) if names else PEERS:
        try:
            python = environment_of(peer)
        except InstallFailedError as error:
            results.left_out[peer.name] = str(error)
            continue
        results.about["versions"][peer.name] = versions_in(
            str(python), (peer.package, "onnxruntime", "numpy", "pillow")
        )
        found += [servers.of_peer(peer, setting, python) for setting in peer.settings]
    return found


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _parser() -> argparse.ArgumentParser:
    further = "\n".join(f"  python -m {module:36}{text}" for module, text in FURTHER.items())
    parser = argparse.ArgumentParser(
        "python -m bench",
        description=__doc__,
        epilog=_EXAMPLES + further,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (("ours", "the service alone"), ("peers", "the service beside its peers")):
        command = commands.add_parser(name, help=text)
        command.add_argument("--rounds", type=int, default=5, help="how often everything is measured (default 5)")
        command.add_argument(
            "--seconds", type=float, default=3, help="of each measurement, in whole seconds (default 3)"
        )
        command.add_argument("--rows", default="", help="comma-separated: png, multipart, mnist, jpeg, bulk, oip")
        command.add_argument("--name", default="", help="of the report in bench/reports (default: the command)")
        command.add_argument("--continue", dest="resume", action="store_true", help="add rounds to that report")
        if name == "peers":
            command.add_argument("--peers", default="", help="comma-separated names (default: all)")
    report = commands.add_parser("report", help="write a report and its charts again")
    report.add_argument("results", type=Path, help="a JSON file in bench/reports")
    stages = commands.add_parser("profile", help="where the time of a request goes")
    stages.add_argument("--concurrency", type=int, default=64, help="requests at once (default 64)")
    stages.add_argument("--seconds", type=float, default=5, help="of each part (default 5)")
    return parser
