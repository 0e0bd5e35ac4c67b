"""Starts a server in its own processes, sends requests to it, and measures the CPU time and memory of its processes."""

import contextlib
import http.client
import os
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import psutil

from bench.folders import ROOT


class ServerFailedError(RuntimeError):
    """A server did not start, or ended. The message ends with its last lines of output."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory of all processes of a server, in MiB: resident (RSS), and with shared pages counted once (PSS)."""

    rss_mib: float
    pss_mib: float


class RunningServer(ABC):
    """A server, from start to stop, in the folder of this checkout.

    Args:
        command: that starts it.
        variables: environment variables in addition to those of this process.
        log: file that gets its output; the folder is made.
        tells_address: whether it prints its address: its standard output is then a pipe, and not in the log.
        own_group: whether it gets its own process group, so that a signal can reach the whole group.

    Attributes:
        process: the first of its processes, after the start.
        url: its address, as soon as it is known.
        log: as given.
    """

    process: subprocess.Popen[str]

    def __init__(
        self,
        command: Sequence[str],
        variables: Mapping[str, str],
        log: Path,
        *,
        tells_address: bool = False,
        own_group: bool = False,
    ) -> None:
        self.log = log
        self.url = ""
        self._command = list(command)
        self._environment = os.environ | variables
        self._environment.pop("PYTHONDONTWRITEBYTECODE", None)  # else each start compiles all modules again: 0.15 s
        self._tells_address = tells_address
        self._own_group = own_group

    def __enter__(self) -> Self:
        """The server, started and not yet ready."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                self._command,
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if self._tells_address else output,
                stderr=output,
                text=True,
                process_group=0 if self._own_group else None,
            )
        return self

    def __exit__(self, *_: object) -> None:
        """Stops it."""
        self.stop()
        if self.process.stdout is not None:
            self.process.stdout.close()

    @abstractmethod
    def stop(self) -> int | None:
        """Stops it, and returns when it has ended."""

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        parts = urlsplit(self.url)
        return str(parts.hostname), int(parts.port or 0)

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, dict[str, str], bytes]:
        """Sends one request; returns status, headers (names in lower case) and body of the answer."""
        with contextlib.closing(http.client.HTTPConnection(*self.address, timeout=30)) as connection:
            connection.request("POST", path, body, dict(headers))
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()

    def processes(self) -> list[psutil.Process]:
        """Its processes, the first one first."""
        first = psutil.Process(self.process.pid)
        return [first, *first.children(recursive=True)]

    def cpu_s(self) -> float:
        """CPU seconds, user and system, that its processes have used so far."""
        used_s = 0.0
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                times = process.cpu_times()
                used_s += times.user + times.system
        return used_s

    def memory(self) -> Memory:
        """Memory of its processes."""
        rss = pss = 0
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                memory = process.memory_full_info()
                rss += memory.rss
                pss += memory.pss
        return Memory(round(rss / 2**20, 1), round(pss / 2**20, 1))
