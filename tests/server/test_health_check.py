"""`python -m service health`, which a container's health check runs: it follows the running service's port."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.process import ROOT, ServerProcess

pytestmark = pytest.mark.slow

COMMAND = (sys.executable, "-S", "-m", "service", "health")  # as in the Dockerfile
NEW_PIDS = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
CAN_ISOLATE = shutil.which("unshare") is not None and subprocess.run([*NEW_PIDS, "true"], check=False).returncode == 0


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def health(*flags: str, inside: int | None = None, env: dict[str, str] | None = None) -> tuple[int, str]:
    enter = () if inside is None else ("nsenter", "--target", str(inside), "--pid", "--mount", f"--wd={ROOT}")
    ended = subprocess.run(
        [*enter, *COMMAND, *flags],
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        check=False,
        capture_output=True,
        text=True,
        timeout=20,
    )
    return ended.returncode, ended.stderr


def test_flags_say_where_to_ask(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "log", "--drain-delay-s", "2") as process:
        port = process.url.rpartition(":")[2]
        assert health("--host", "0.0.0.0", "--port", port) == (0, "")
        process.process.send_signal(signal.SIGTERM)
        while (answer := health(f"--port={port}")) == (0, ""):
            pass
        assert answer == (1, f"127.0.0.1:{port} is not ready\n")
    assert health("--port", port) == (1, f"127.0.0.1:{port} does not answer: [Errno 111] Connection refused\n")


def test_a_port_says_which_of_several_services_is_asked(tmp_path: Path) -> None:
    """The older process has the command line of a service that listens elsewhere."""
    words = (
        sys.executable,
        "-c",
        "import sys; sys.stdin.read()",
        "-m",
        "service",
        "--host",
        "127.0.0.2",
        "--port",
        free_port(),
    )
    port = free_port()
    with (
        subprocess.Popen(words, stdin=subprocess.PIPE),  # it ends when its input is closed
        ServerProcess(tmp_path / "log", "--port", port, "--host", "127.0.0.3"),
    ):
        assert health("--port", port) == (0, "")


@pytest.mark.skipif(not CAN_ISOLATE, reason="only root may make a namespace of processes, as a container has")
@pytest.mark.parametrize("origin", ["flag", "variable"])
def test_in_a_container_it_asks_where_the_service_listens(tmp_path: Path, origin: str) -> None:
    """The health check has the image's variables and none of the service's flags."""
    port = free_port()
    flags, env = (("--port", port), {}) if origin == "flag" else ((), {"CONVOY_PORT": port})
    command = [*NEW_PIDS, sys.executable, "-m", "service", *flags]
    with (
        (tmp_path / "log").open("wb") as log,
        subprocess.Popen(command, cwd=ROOT, env={**os.environ, **env}, stdout=subprocess.PIPE, stderr=log) as process,
    ):
        try:
            assert process.stdout is not None
            assert port in process.stdout.readline().decode()
            (first,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            while (answer := health(inside=int(first), env={"CONVOY_PORT": "8000"})) != (0, ""):
                assert "does not answer" in answer[1]
            os.kill(int(first), signal.SIGTERM)  # process 1 of its namespace, as in a container
            assert process.wait(20) == 0
        finally:
            process.kill()
