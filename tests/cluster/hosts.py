"""Hosts of a cluster, each in its own network namespace on this machine.

``CLUSTER_HOSTS`` names a command that makes them; ``make cluster-test`` sets it. The command takes ``up N`` (hosts 1 to
N at 10.77.0.1 to 10.77.0.N, and a hub for clients), ``run I COMMAND...`` (on host I, with its own process namespace,
/tmp, HOME and /dev/shm; SIGKILL to it kills everything on the host, like a power failure), ``hub COMMAND...`` and
``down``.
"""

import os
import subprocess
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from tests.process import ROOT

TOOL = os.environ.get("CLUSTER_HOSTS", "")
RAY_PYTHON = ROOT / ".venv-ray" / "bin" / "python"
SETTINGS = {
    "RAY_SERVE_ENABLE_HA_PROXY": "1",
    "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
    "RAY_SERVE_EXPERIMENTAL_PIP_HAPROXY": "1",
    "RAY_SERVE_HAPROXY_RETRY_ON": "conn-failure empty-response",
    "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "2",
    "RAY_AUTH_MODE": "disabled",  # this network has no other users
    "RAY_USAGE_STATS_ENABLED": "0",
    "PYTHONUNBUFFERED": "1",
}


def address(host: int) -> str:
    """The address of a host, by its number from 1."""
    return f"10.77.0.{host}"


class Hosts:
    """Several hosts, and the commands that run on them.

    Args:
        count: the number of hosts.
        logs: folder for the output of each host.
    """

    def __init__(self, count: int, logs: Path) -> None:
        self._count = count
        self._logs = logs
        self._running: dict[int, subprocess.Popen[str]] = {}

    def __enter__(self) -> Self:
        if ROOT.is_relative_to("/tmp"):
            raise RuntimeError(f"{ROOT}: hosts have a /tmp of their own and would not see this; put it elsewhere")
        subprocess.run([TOOL, "up", str(self._count)], check=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for host in list(self._running):
            self.cut_power(host)
        subprocess.run([TOOL, "down"], check=True)

    def start(self, host: int, *command: str) -> "subprocess.Popen[str]":
        """Starts a host with a command; the host exists as long as the command runs."""
        with self.log(host).open("ab") as log:
            process = subprocess.Popen(
                [TOOL, "run", str(host), *command],
                cwd=ROOT,
                env={**os.environ, **SETTINGS},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self._running[host] = process
        return process

    def join(self, host: int) -> None:
        """Adds a host to the Ray cluster; host 1 is the head."""
        words = ("start", f"--address={address(1)}:6379", f"--node-ip-address={address(host)}", "--block")
        process = self.start(host, str(RAY_PYTHON), "-m", "ray.scripts.scripts", *words, *limits())
        assert process.stdout is not None
        for line in process.stdout:
            if "Ray runtime started" in line:
                return
        raise RuntimeError(f"host {host} did not join:\n{self.log(host).read_text()}")

    def cut_power(self, host: int) -> None:
        """Kills everything that runs on a host."""
        process = self._running.pop(host)
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()

    def log(self, host: int) -> Path:
        """The file with the error output of a host."""
        return self._logs / f"host-{host}.log"


def on_hub(*command: str, output: int | IO[str] = subprocess.PIPE) -> "subprocess.Popen[str]":
    """Runs a command on the hub, where the clients are."""
    return subprocess.Popen([TOOL, "hub", *command], cwd=ROOT, stdout=output, text=True)


def limits() -> tuple[str, ...]:
    """The resources of each host that Ray may use."""
    return ("--num-cpus=2", "--object-store-memory=150000000", "--disable-usage-stats")
