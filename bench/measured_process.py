"""A server as a process: started, pinned, watched and stopped, with everything that it starts in turn."""

import contextlib
import ctypes
import http.client
import os
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psutil

_PR_SET_CHILD_SUBREAPER = 36
_POLL_S = 0.004
_START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 10.0


class ServerFailedError(RuntimeError):
    """A server did not start, or went away. The message ends with the last lines that it printed."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Of all processes of a server, in MiB: resident, and resident with shared pages counted once."""

    rss_mib: float
    pss_mib: float


class MeasuredProcess:
    """A server, from start to stop.

    Orphans of the server become children of this process, so that none is missed and none is left.

    Args:
        command: that starts it.
        environment: added to this process's.
        cores: that it may use.
        port: that it listens on.
        log: what it prints.
        folder: that it runs in.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        cores: Sequence[int],
        port: int,
        log: Path,
        folder: Path,
    ) -> None:
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self.port = port
        self._log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as output:
            self._started = time.perf_counter()
            self._process = subprocess.Popen(
                ["taskset", "-c", ",".join(map(str, cores)), *command],
                env=os.environ | environment,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def __enter__(self) -> Self:
        """The server, started and not yet ready."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stops it."""
        self.stop()

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, dict[str, str], bytes]:
        """Sends one request: status, headers (names in lower case) and body of the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with contextlib.closing(connection):
            connection.request("POST", path, body, dict(headers))
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()

    def wait_until_ready(self, path: str, body: bytes, headers: Mapping[str, str]) -> float:
        """Asks until the first good answer.

        Returns:
            Seconds from the start of the process to it.

        Raises:
            ServerFailedError: the process ended, or the answer did not come in time.
        """
        last = "no connection"
        while time.perf_counter() - self._started < _START_TIMEOUT_S:
            if self._process.poll() is not None:
                raise ServerFailedError(f"ended with status {self._process.returncode}: {self._last_lines()}")
            try:
                status, _, answer = self.post(path, body, headers)
            except (OSError, http.client.HTTPException):
                time.sleep(_POLL_S)
                continue
            if status == 200:
                return time.perf_counter() - self._started
            last = f"status {status} {answer[:200]!r}"
            time.sleep(_POLL_S)
        raise ServerFailedError(f"not ready after {_START_TIMEOUT_S:.0f} s, last {last}: {self._last_lines()}")

    def processes(self) -> list[psutil.Process]:
        """Its processes: whatever this process has started, or inherited from what it has started."""
        children: list[psutil.Process] = psutil.Process().children(recursive=True)
        return children

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

    def stop(self) -> None:
        """Ends every process of the server, gently first."""
        self._process.terminate()
        deadline = time.perf_counter() + _STOP_TIMEOUT_S
        while self.processes() and time.perf_counter() < deadline:
            self._reap()
            time.sleep(0.02)
        while remaining := self.processes():
            for process in remaining:
                with contextlib.suppress(psutil.Error):
                    process.kill()
            self._reap()
            time.sleep(0.02)

    def _reap(self) -> None:
        self._process.poll()
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass

    def _last_lines(self) -> str:
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-8:])


def free_port() -> int:
    """A TCP port that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
