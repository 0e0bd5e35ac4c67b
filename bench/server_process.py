"""Runs a real service process on a free port, and keeps its output. Tests and benchmarks use it.

``CONVOY_TEST_COMMAND`` names another command that takes the service's flags and prints its address, so that the tests
over HTTP can run against another engine: ``make cluster-test`` runs them against Ray Serve.
"""

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Self

import psutil

from bench.running_server import RunningServer, ServerFailedError

_ADDRESS = re.compile(r"http://\S+:\d+(?=\s|$)")


class ServerProcess(RunningServer):
    """Runs ``python -m service`` on a free port.

    Args:
        log: file that gets its output.
        args: flags.
        env: further environment variables.
        module: the module to run instead of ``service``.
        before: words before the command, such as those of ``nohup``.
        own_group: whether it gets its own process group, so that a signal can reach the whole group.
    """

    def __init__(
        self,
        log: Path,
        *args: str,
        env: dict[str, str] | None = None,
        module: str = "service",
        before: tuple[str, ...] = (),
        own_group: bool = False,
    ) -> None:
        command = shlex.split(os.environ.get("CONVOY_TEST_COMMAND", "")) if module == "service" else []
        super().__init__(
            [*before, *(command or (sys.executable, "-m", module)), "--port", "0", *args],
            {"PYTHONUNBUFFERED": "1", **(env or {})},
            log,
            tells_address=True,
            own_group=own_group,
        )

    def __enter__(self) -> Self:
        """The service, listening."""
        super().__enter__()
        assert self.process.stdout is not None
        for line in self.process.stdout:  # ends when the process does
            if found := _ADDRESS.search(line):
                self.url = found[0]
                return self
        raise ServerFailedError(f"the service did not start:\n{self.log.read_text()}")

    def workers(self) -> list[psutil.Process]:
        """The worker processes; none where the service has only one process."""
        children = psutil.Process(self.process.pid).children()
        return [child for child in children if "spawn_main" in " ".join(child.cmdline())]

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Signals the process and waits for its end; returns its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
