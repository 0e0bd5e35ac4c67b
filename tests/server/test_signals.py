"""Stop signals, as terminals, service managers and users send them: accepted requests are answered."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.process import ROOT, ServerProcess
from tests.waiting import until

pytestmark = pytest.mark.slow

IN_FLIGHT = 8


class HalfSent:
    """A request whose second half is sent later."""

    def __init__(self, url: str, body: bytes) -> None:
        address = httpx.URL(url)
        self._body = body
        self._socket = socket.create_connection((address.host, address.port or 80), timeout=30)
        head = f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: {len(body)}\r\n"
        # This answer shows that the service has read the head, so the request is accepted.
        self._socket.sendall(f"{head}Expect: 100-continue\r\n\r\n".encode())
        assert self._socket.recv(100).startswith(b"HTTP/1.1 100")

    def finish(self) -> bytes:
        """Sends the rest, and returns the answer's status line."""
        with self._socket, self._socket.makefile("rb") as answer:
            self._socket.sendall(self._body)
            return answer.readline().strip()


def stop_when_accepted(process: ServerProcess, body: bytes, stop: Callable[[], None]) -> list[bytes]:
    """Stops a service while requests are half sent; returns the answers' status lines."""
    requests = [HalfSent(process.url, body) for _ in range(IN_FLIGHT)]
    stop()
    wait_for_log(process, "Shutting down")
    answers = [request.finish() for request in requests]
    process.process.wait(30)
    return answers


def wait_for_log(process: ServerProcess, text: str, times: int = 1) -> None:
    until(lambda: process.log.read_text().count(text) >= times)


@pytest.fixture
def hangup_by_default() -> Iterator[None]:
    """Sets SIGHUP to its default action, which child processes inherit, even if the tests run under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("hangup_by_default")
@pytest.mark.parametrize(("workers", "number"), [(2, signal.SIGINT), (1, signal.SIGTERM), (2, signal.SIGHUP)])
def test_a_signal_to_the_whole_group_loses_no_request(
    tmp_path: Path, cat: bytes, workers: int, number: signal.Signals
) -> None:
    with ServerProcess(tmp_path / "log", "--workers", str(workers), own_group=True) as process:
        answers = stop_when_accepted(process, cat, lambda: os.killpg(process.process.pid, number))
        assert answers == [b"HTTP/1.1 200 OK"] * IN_FLIGHT
        assert process.process.returncode == 0
    assert "Traceback" not in process.log.read_text()


@pytest.mark.parametrize("workers", [1, 2])
async def test_connections_that_wait_to_be_accepted_are_answered(tmp_path: Path, cat: bytes, workers: int) -> None:
    """Each request is sent on a new connection, so that some connections wait at any time."""
    head = "POST /predict HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: image/png\r\n"
    request = f"{head}Content-Length: {len(cat)}\r\n\r\n".encode() + cat
    answers: list[bytes] = []
    under_load = asyncio.Event()

    async def client(url: httpx.URL) -> None:
        while True:
            try:
                reader, writer = await asyncio.open_connection(url.host, url.port)
            except ConnectionRefusedError:
                return  # the socket is closed
            writer.write(request)
            answers.append(await reader.readline())
            writer.close()
            if len(answers) == 200:
                under_load.set()

    with ServerProcess(tmp_path / "log", "--workers", str(workers), own_group=True) as process:
        clients = asyncio.gather(*(client(httpx.URL(process.url)) for _ in range(24)))
        await under_load.wait()
        os.killpg(process.process.pid, signal.SIGTERM)
        await clients
        assert await asyncio.to_thread(process.stop) == 0
    assert set(answers) == {b"HTTP/1.1 200 OK\r\n"}


def test_the_same_signal_twice_within_a_moment_is_one_request_to_stop(tmp_path: Path, cat: bytes) -> None:
    """`timeout` sends a signal twice: to the process and to its group."""
    with ServerProcess(tmp_path / "log", own_group=True) as process:

        def stop() -> None:
            os.kill(process.process.pid, signal.SIGTERM)
            os.killpg(process.process.pid, signal.SIGTERM)

        assert stop_when_accepted(process, cat, stop) == [b"HTTP/1.1 200 OK"] * IN_FLIGHT
        assert process.process.returncode == 0


def test_a_signal_to_one_worker_makes_it_drain_and_be_replaced(tmp_path: Path, cat: bytes) -> None:
    with ServerProcess(tmp_path / "log", "--workers", "2") as process:
        requests = [HalfSent(process.url, cat) for _ in range(IN_FLIGHT)]
        worker = process.workers()[0]
        worker.send_signal(signal.SIGTERM)
        worker.send_signal(signal.SIGINT)
        wait_for_log(process, "Shutting down")
        assert [request.finish() for request in requests] == [b"HTTP/1.1 200 OK"] * IN_FLIGHT
        worker.wait(30)
        wait_for_log(process, "ready for requests", times=3)
        assert process.stop() == 0
    assert "died with exit status 0" in process.log.read_text()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_second_signal_ends_everything_at_once(tmp_path: Path, workers: int) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    flags = ("--workers", str(workers), "--drain-delay-s", "60")
    with ServerProcess(tmp_path / "log", *flags, own_group=True, env={"TMPDIR": str(temporary)}) as process:
        children = process.workers()
        os.killpg(process.process.pid, signal.SIGINT)
        while httpx.get(f"{process.url}/health/ready").status_code == 200:
            pass
        time.sleep(0.2)  # an earlier signal would count as the same request
        os.killpg(process.process.pid, signal.SIGINT)
        assert process.process.wait(2) == 1
        assert not psutil.wait_procs(children, timeout=2)[1]
    assert "Traceback" not in process.log.read_text()
    assert not list(temporary.iterdir())


def test_a_hangup_is_ignored_where_it_was_ignored_before(tmp_path: Path, cat: bytes) -> None:
    """`nohup` makes a process ignore SIGHUP."""
    ignoring = ("env", "--ignore-signal=HUP")
    with ServerProcess(tmp_path / "log", "--workers", "2", before=ignoring, own_group=True) as process:
        os.killpg(process.process.pid, signal.SIGHUP)
        for _ in range(20):
            answer = httpx.post(f"{process.url}/predict", content=cat, headers={"Content-Type": "image/png"})
            assert answer.status_code == 200
        assert len(process.workers()) == 2
        assert process.stop() == 0
    assert "Shutting down" in process.log.read_text()
    assert "died" not in process.log.read_text()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_signal_during_the_start_ends_it_without_a_traceback(tmp_path: Path, workers: int) -> None:
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "service", "--port", "0", "--workers", str(workers)],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=log,
            process_group=0,
        )
        while "SigCgt:\t0000000000000000" in Path(f"/proc/{process.pid}/status").read_text() or not (
            signal_mask(process.pid, "SigBlk") & 1 << (signal.SIGTERM - 1)
        ):
            time.sleep(0.01)  # until the service handles signals, not only the interpreter
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(20) == 0
    assert "Traceback" not in (tmp_path / "log").read_text()


def signal_mask(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(f"{name}:")), 16)


STUCK = """
import itertools, threading, time
from service.workers.stop_signals import StopSignals
stopped = threading.Event()
signals = StopSignals()
signals.serve(stop=stopped.set, limit_s=0.3, stop_now=None)
print("ready", flush=True)
{stuck}
"""


@pytest.mark.parametrize(
    "stuck",
    [
        "threading.Thread(target=time.sleep, args=(1000,)).start()",  # the interpreter's exit would wait for it
        "time.sleep(1000)",
        "stopped.wait(); sum(itertools.repeat(1, 10**15))",  # holds the interpreter's lock
    ],
)
def test_the_end_comes_after_the_limit_whatever_threads_are_doing(stuck: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", STUCK.format(stuck=stuck)], cwd=ROOT, stdout=subprocess.PIPE
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            process.send_signal(signal.SIGTERM)
            assert process.wait(2) in {0, 1}
        finally:
            process.kill()
