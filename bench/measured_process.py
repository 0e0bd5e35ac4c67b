"""Runs any server as a process: pinned to cores, timed from its start, and stopped with all its child processes."""

import contextlib
import ctypes
import http.client
import os
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

import psutil

from bench.running_server import RunningServer, ServerFailedError

_PR_SET_CHILD_SUBREAPER = 36
_POLL_S = 0.004
_START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 10.0


class MeasuredProcess(RunningServer):
    """A server that gets its port as an argument, and is ready when it answers.

    Orphaned processes of the server become children of this process, so that all are measured and stopped.

    Args:
        command: that starts it; ``{port}`` is filled in.
        variables: of its environment; ``{port}`` is filled in.
        cores: that it may use.
        log: file that gets its output.
    """

    def __init__(
        self, command: Sequence[str], variables: Mapping[str, str], *, cores: Sequence[int], log: Path
    ) -> None:
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        port = _free_port()
        super().__init__(
            ["taskset", "-c", ",".join(map(str, cores)), *(word.format(port=port) for word in command)],
            {name: value.format(port=port) for name, value in variables.items()},
            log,
        )
        self.url = f"http://127.0.0.1:{port}"

    def __enter__(self) -> Self:
        """The server, started and not yet ready."""
        self._started = time.perf_counter()
        return super().__enter__()

    def wait_until_ready(self, path: str, body: bytes, headers: Mapping[str, str]) -> float:
        """Sends requests until the first good answer.

        Returns:
            Seconds from the start of the process to that answer.

        Raises:
            ServerFailedError: the process ended, or the answer did not come in time.
        """
        last = "no connection"
        while time.perf_counter() - self._started < _START_TIMEOUT_S:
            if self.process.poll() is not None:
                raise ServerFailedError(f"ended with status {self.process.returncode}: {self._last_lines()}")
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
        """Its processes: all children of this process, including adopted orphans."""
        children: list[psutil.Process] = psutil.Process().children(recursive=True)
        return children

    def stop(self) -> None:
        """Ends every process of the server: by SIGTERM first, later by SIGKILL."""
        self.process.terminate()
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
        self.process.poll()
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass

    def _last_lines(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-8:])


def _free_port() -> int:
    """A TCP port that is free now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
