"""More connections than the limit: idle ones and those of clients that do not read are closed; probes are answered."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import psutil
import pytest

from tests.process import ServerProcess
from tests.server.hostile import PNG, head, memory, until_closed, wire

pytestmark = pytest.mark.slow

MOST = 20
PROBE = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
PROBES = ("/health/live", "/health/ready", "/v2/health/live", "/v2/health/ready", "/metrics")
LARGE = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    flags = ("--max-connections", str(MOST), "--write-timeout-s", "1.5")
    with ServerProcess(tmp_path_factory.mktemp("limit") / "log", *flags) as process:
        yield process


@pytest.fixture
def process(shared: ServerProcess) -> Iterator[ServerProcess]:
    """The server; its connections are closed after the test."""
    files = psutil.Process(shared.process.pid).num_fds()
    yield shared
    while psutil.Process(shared.process.pid).num_fds() > files:
        pass


def open_many(process: ServerProcess, stack: ExitStack, count: int, sent: bytes = b"") -> list[socket.socket]:
    connections = [stack.enter_context(wire(process)) for _ in range(count)]
    for connection in connections:
        connection.sendall(sent)
    return connections


def predict(process: ServerProcess, picture: bytes) -> httpx.Response:
    return httpx.post(f"{process.url}/predict", content=picture, headers=PNG, timeout=30)


def assert_probes_are_answered(process: ServerProcess) -> None:
    for path in PROBES:
        assert httpx.get(process.url + path).status_code == 200, path
        assert httpx.head(process.url + path).status_code == 200, path


@pytest.mark.parametrize("sent", [b"", PROBE], ids=["never used", "kept alive"])
def test_idle_connections_make_room_the_longest_idle_one_first(process: ServerProcess, cat: bytes, sent: bytes) -> None:
    with ExitStack() as stack:
        idle = open_many(process, stack, MOST, sent)
        for connection in idle if sent else ():
            assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        assert predict(process, cat).status_code == 200
        assert until_closed(idle[0]) == b""
        idle[-1].sendall(PROBE)
        assert idle[-1].recv(65536).startswith(b"HTTP/1.1 200")


def test_a_request_on_its_way_to_a_connection_that_makes_room_is_answered(process: ServerProcess, cat: bytes) -> None:
    with ExitStack() as stack:
        idle = open_many(process, stack, MOST)
        assert predict(process, cat).status_code == 200
        idle[0].sendall(PROBE)
        said = until_closed(idle[0])
    assert said.startswith(b"HTTP/1.1 200")
    assert b"connection: close" in said


def test_where_all_are_busy_probes_are_answered_and_all_else_is_refused(process: ServerProcess, cat: bytes) -> None:
    with ExitStack() as stack:
        busy = open_many(process, stack, MOST, head("Content-Length: 1000") + b"a")
        while (refused := predict(process, cat)).status_code == 200:
            pass  # until the metrics show that the last one is busy
        assert refused.status_code == 503
        assert refused.headers["retry-after"] == "1"
        assert refused.headers["connection"] == "close"
        assert_probes_are_answered(process)
        large = httpx.post(f"{process.url}/predict", content=bytes(5 << 20), headers=PNG, timeout=30)
        assert large.status_code == 503, "the answer was lost behind the body"
        busy.pop().close()
        while predict(process, cat).status_code != 200:
            pass


def test_clients_that_do_not_read_give_way_within_the_write_time_limit(process: ServerProcess, cat: bytes) -> None:
    with ExitStack() as stack:
        deaf = open_many(process, stack, MOST)
        for connection in deaf:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.sendall(LARGE * 60)
        while predict(process, cat).status_code == 200:
            pass  # until all of them are stuck
        started = time.monotonic()
        assert_probes_are_answered(process)
        while predict(process, cat).status_code != 200:
            assert time.monotonic() - started < 10


def test_answers_that_are_not_read_are_counted_and_counted_out_again(tmp_path: Path) -> None:
    budget = 17 << 20
    flags = ("--max-body-bytes", str(16 << 20), "--max-body-bytes-in-flight", str(budget), "--write-timeout-s", "1.5")
    with ServerProcess(tmp_path / "log", *flags) as process, ExitStack() as stack:
        before = memory(process)
        unread = open_many(process, stack, 300)
        for connection in unread:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.sendall(LARGE * 60)
        body = bytes(15 << 20)
        while httpx.post(f"{process.url}/predict", content=body, headers=PNG, timeout=30).status_code != 503:
            pass  # until unread answers leave no room for this body
        assert memory(process) - before < 64 << 20
        while httpx.post(f"{process.url}/predict", content=body, headers=PNG, timeout=30).status_code == 503:
            pass  # the reserved memory is released again: a body of 15 MiB fits into 17
