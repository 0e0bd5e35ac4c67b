"""The service keeps running if standard output and error cannot be written to."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from tests.process import ROOT
from tests.waiting import until

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("workers", "redirection"),
    [
        (2, ">/dev/full"),
        (2, "| true"),
        (1, ">/dev/full 2>/dev/full"),
        (2, "<&- >&- 2>&-"),
    ],
)
def test_the_service_starts_answers_and_drains(tmp_path: Path, cat: bytes, workers: int, redirection: str) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    pid_file, log = tmp_path / "pid", tmp_path / "log"
    service = f"echo $BASHPID >{pid_file}; exec {sys.executable} -m service --port {port} --workers {workers}"
    script = f"set -o pipefail; ({service}) {redirection}"
    with log.open("wb") as errors, subprocess.Popen(["bash", "-c", script], cwd=ROOT, stderr=errors) as shell:
        while not answers(f"http://127.0.0.1:{port}", cat):
            assert shell.poll() is None
            time.sleep(0.05)
        if "2>" not in redirection:
            # It is logged when all workers are ready.
            until(lambda: "standard output cannot be written to" in log.read_text())
        os.kill(int(pid_file.read_text()), signal.SIGTERM)
        assert shell.wait(30) == 0
    assert "Traceback" not in log.read_text()


def answers(url: str, picture: bytes) -> bool:
    try:
        answer = httpx.post(f"{url}/predict", content=picture, headers={"content-type": "image/png"})
    except httpx.ConnectError:
        return False
    assert answer.status_code == 200
    return True
