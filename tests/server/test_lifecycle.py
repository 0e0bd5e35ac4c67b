"""Start, refused starts, drain and crashes, as an operator sees the process."""

import asyncio
import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import psutil
import pytest

from service.settings import Settings
from tests.fixtures.tiny_models import put, tiny_model
from tests.process import ROOT, ServerProcess

pytestmark = pytest.mark.slow

PNG = {"Content-Type": "image/png"}


def test_the_service_imports_no_tensorflow() -> None:
    script = (
        "import sys, service.http.server, service.workers.supervisor\n"
        "sys.exit(any(name in sys.modules for name in ('tensorflow', 'keras', 'training')))"
    )
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False).returncode == 0


def test_help_explains_every_setting() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "service", "--help"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    for name, field in Settings.model_fields.items():
        assert f"--{name.replace('_', '-')}" in shown
        assert field.description


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--models-dir", "/nowhere"), "no model could be served from /nowhere"),
        (("--execution-provider", "cuda"), "CUDAExecutionProvider"),
        (("--max-images-per-request", "10", "--queue-capacity", "5"), "could never be accepted"),
        (("--model-control", "true"), "model_control needs keys_file"),
        (("--root-path", "classify/"), "must be like /classify"),
        (("--root-path", "/models"), "choose another prefix"),
        (("--forwarded-allow-ips", "proxy"), "must be an IP address"),
        (("--workers", "2", "--models-dir", "/nowhere"), "no model could be served from /nowhere"),
    ],
)
def test_what_cannot_work_is_said_at_start(args: tuple[str, ...], said: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "service", "--port", "0", *args], cwd=ROOT, check=False, capture_output=True, text=True
    )
    assert ended.returncode not in {0, -signal.SIGKILL}
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_the_reason_of_a_failed_start_is_the_last_line_of_the_log(log_format: str) -> None:
    command = [sys.executable, "-m", "service", "--port", "0", "--models-dir", "/nowhere", "--log-format", log_format]
    ended = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    last = ended.stderr.splitlines()[-1]
    why = "cannot start: no model could be served from /nowhere"
    if log_format == "json":
        assert json.loads(last)["message"].startswith(why)
    else:
        assert f" ERROR service: {why}" in last


def test_a_second_service_on_the_port_is_an_error_unless_it_may_share(server: ServerProcess, tmp_path: Path) -> None:
    port = server.url.rpartition(":")[2]
    ended = subprocess.run(
        [sys.executable, "-m", "service", "--port", port], cwd=ROOT, check=False, capture_output=True, text=True
    )
    assert ended.returncode == 1
    assert "Address already in use" in ended.stderr
    with ServerProcess(tmp_path / "log", "--port", port, "--share-port", "true") as second:
        assert second.url == server.url
        assert second.stop() == 0


def test_an_address_that_cannot_be_had_is_said_at_start() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = subprocess.run(
            [sys.executable, "-m", "service", "--port", port], cwd=ROOT, check=False, capture_output=True, text=True
        )
    assert ended.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in ended.stderr


async def test_predictions_are_answered_while_the_first_openapi_document_is_made(tmp_path: Path, cat: bytes) -> None:
    with ServerProcess(tmp_path / "log") as process:
        async with httpx.AsyncClient(base_url=process.url, timeout=30) as client:
            await client.post("/predict", content=cat, headers=PNG)  # opens a connection, and the model
            connections = [await asyncio.open_connection(*process.address) for _ in range(3)]
            for _, writer in connections:  # the requests are with the service before the prediction is sent
                writer.write(b"GET /openapi.json HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            documents = [asyncio.create_task(reader.read()) for reader, _ in connections]
            answer = await client.post("/predict", content=cat, headers=PNG)
            assert answer.status_code == 200
            assert not any(document.done() for document in documents)
            bodies = [(await document).partition(b"\r\n\r\n")[2] for document in documents]
        for _, writer in connections:
            writer.close()
    assert json.loads(bodies[0])["paths"]["/predict"]
    assert bodies[1:] == bodies[:1] * 2


async def test_sigterm_under_load_loses_nothing(tmp_path: Path, cat: bytes) -> None:
    statuses: list[int] = []
    with ServerProcess(tmp_path / "log") as process:
        started = asyncio.Event()

        async def client() -> None:
            async with httpx.AsyncClient(base_url=process.url, timeout=30) as http:
                while True:
                    try:
                        answer = await http.post("/predict", content=cat, headers=PNG)
                    except httpx.ConnectError:
                        return  # the socket is closed, so this request was not accepted
                    statuses.append(answer.status_code)
                    if len(statuses) > 100:
                        started.set()
                    if answer.headers.get("connection") == "close":
                        return

        clients = [asyncio.create_task(client()) for _ in range(16)]
        await started.wait()
        status = await asyncio.to_thread(process.stop)
        await asyncio.gather(*clients)
    assert status == 0
    assert set(statuses) == {200}


def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "log", "--drain-delay-s", "60") as process:
        with httpx.Client(base_url=process.url) as client:
            process.process.send_signal(signal.SIGTERM)
            while client.get("/health/ready").status_code == 200:  # until the first signal has arrived
                pass
            assert client.get("/health/ready").json()["ready"] is False
        assert process.stop() == 1


def test_a_killed_worker_is_replaced_and_the_others_go_on(tmp_path: Path, cat: bytes) -> None:
    with ServerProcess(tmp_path / "log", "--workers", "2") as process:
        first = process.workers()
        assert len(first) == 2
        os.kill(first[0].pid, signal.SIGKILL)
        psutil.wait_procs(first[:1])
        for _ in range(20):
            assert httpx.post(f"{process.url}/predict", content=cat, headers=PNG).status_code == 200
        while len(process.workers()) < 2:
            psutil.wait_procs(first[1:], timeout=0.05)
        assert {worker.pid for worker in process.workers()} != {worker.pid for worker in first}
        assert process.stop() == 0
    assert "died with exit status -9" in (tmp_path / "log").read_text()


def test_a_worker_that_keeps_dying_young_is_replaced_later_and_later(tmp_path: Path, cat: bytes) -> None:
    with ServerProcess(tmp_path / "log", "--workers", "2") as process:
        steady, victim = process.workers()
        for _ in range(3):
            victim.kill()
            victim.wait()
            while not (newcomers := [worker for worker in process.workers() if worker not in {steady, victim}]):
                psutil.wait_procs([steady], timeout=0.02)
            (victim,) = newcomers
        assert httpx.post(f"{process.url}/predict", content=cat, headers=PNG).status_code == 200
        assert process.stop() == 0
    delays_s = [float(found) for found in re.findall(r"replacing it in ([\d.]+) s", (tmp_path / "log").read_text())]
    assert len(delays_s) == 3
    first, second = delays_s[1:]  # the first killed worker may have been old already
    assert second == 2 * first > 0


def test_a_worker_that_stands_still_is_killed_and_replaced(tmp_path: Path) -> None:
    put(tmp_path, "tiny", "1", tiny_model())
    with ServerProcess(
        tmp_path / "log", "--models-dir", str(tmp_path), module="tests.fixtures.short_silence"
    ) as process:
        (stopped,) = process.workers()
        stopped.suspend()
        stopped.wait()
        while process.log.read_text().count("ready for requests") < 2:
            psutil.wait_procs(process.workers(), timeout=0.05)
        assert httpx.get(f"{process.url}/health/live").status_code == 200
        assert process.stop() == 0
    log = process.log.read_text()
    assert f"the event loop of worker 0 (pid {stopped.pid}) stands still for 1 s; killing it" in log
    assert log.count("died with") == 1


def test_a_system_without_room_for_a_process_does_not_end_the_parent(tmp_path: Path, cat: bytes) -> None:
    with ServerProcess(tmp_path / "log", "--workers", "2") as process:
        parent, (steady, victim) = psutil.Process(process.process.pid), process.workers()
        before = resource.prlimit(parent.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(parent.pid, resource.RLIMIT_NOFILE, (6, before[1]))  # none is left for a pipe; poll takes 5
        victim.kill()
        while "cannot be started: [Errno 24] Too many open files" not in process.log.read_text():
            psutil.wait_procs([steady], timeout=0.05)
        assert httpx.post(f"{process.url}/predict", content=cat, headers=PNG).status_code == 200
        resource.prlimit(parent.pid, resource.RLIMIT_NOFILE, before)
        while len(process.workers()) < 2:
            psutil.wait_procs([steady], timeout=0.05)
        assert process.stop() == 0
    assert "Traceback" not in process.log.read_text()


def test_a_worker_that_cannot_be_started_is_said_at_start_and_ends_those_before_it() -> None:
    few_files = ("sh", "-c", 'ulimit -n 40; exec "$@"', "sh")
    command = (*few_files, sys.executable, "-m", "service", "--port", "0", "--workers", "16", "--log-format", "text")
    ended = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert ended.returncode == 1
    [line] = ended.stderr.splitlines()
    assert re.search(r"cannot start: worker [1-9] cannot be started: \[Errno 24\] Too many open files", line)


def test_workers_end_with_their_parent(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "log", "--workers", "2") as process:
        children = process.workers()
        process.process.kill()
        gone, alive = psutil.wait_procs(children, timeout=20)
    assert not alive
    assert len(gone) == 2
