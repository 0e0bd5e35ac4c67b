"""Expensive pictures, sent to a real server: each is answered soon, and none prevents the server from stopping."""

import http.client
import signal
import threading
import time
from importlib import import_module
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
from PIL import Image

from bench.reliability.hostile_pictures.picture import encode
from bench.reliability.hostile_pictures.requests import FORMATS
from tests.process import ServerProcess
from tests.server.hostile import PNG, memory

pytestmark = pytest.mark.slow

SIDE = 64
MOST_BYTES = 15 << 20
MOST_CPU_S = 1.0  # includes receiving a body of 15 MB
DRAIN_S = 1.0
GRACE_S = 2.0


def cpu_s(process: ServerProcess) -> float:
    """CPU time of a server and its child processes, including those that have ended."""
    parent = psutil.Process(process.process.pid)
    return sum(sum(one.cpu_times()[:4]) for one in (parent, *parent.children(recursive=True)))


@pytest.mark.parametrize("kind", FORMATS)
def test_every_picture_that_asks_for_much_work_is_answered_soon(
    kind: str, http: httpx.Client, target: ServerProcess
) -> None:
    before = memory(target)
    for file in import_module(f"bench.reliability.hostile_pictures.{kind}").hostile(SIDE, SIDE):
        if len(file.data) > MOST_BYTES:
            continue
        started = cpu_s(target)
        answer = http.post("/predict", content=file.data, headers=PNG)
        assert answer.status_code in {200, 413, 422}, (file.name, answer.text)
        assert cpu_s(target) - started < MOST_CPU_S, file.name
    assert memory(target) - before < 100 << 20


def test_many_scans_hold_up_nobody(http: httpx.Client, cat: bytes) -> None:
    jpeg = import_module("bench.reliability.hostile_pictures.jpeg")
    files = [jpeg.many_scans(800, 800, scans) for scans in (1_000, 380_000)]
    for data in files:
        answer = http.post("/predict", content=data, headers=PNG)
        assert answer.status_code == 422
        assert "scans" in answer.json()["errors"][0]["detail"]
        assert http.post("/predict", content=cat, headers=PNG).status_code == 200


def test_the_end_waits_for_no_decoder(tmp_path: Path) -> None:
    picture = encode(Image.new("RGB", (5000, 5000), "red"), "PNG")
    answered: list[int] = []
    with ServerProcess(tmp_path / "log", "--drain-timeout-s", str(DRAIN_S)) as server:
        address = urlsplit(server.url)

        def send() -> None:
            connection = http.client.HTTPConnection(str(address.hostname), address.port or 0, timeout=30)
            try:
                connection.request("POST", "/predict", picture, PNG)
                answered.append(connection.getresponse().status)
            except OSError:
                answered.append(0)
            finally:
                connection.close()

        clients = [threading.Thread(target=send) for _ in range(16)]
        for client in clients:
            client.start()
        before = cpu_s(server)
        while cpu_s(server) - before < 0.3:  # until they are being decoded
            pass
        told = time.monotonic()
        assert server.stop(signal.SIGTERM) == 0
        assert time.monotonic() - told < DRAIN_S + GRACE_S
        for client in clients:
            client.join()
    assert len(answered) == 16
