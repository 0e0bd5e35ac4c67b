"""Hostile connections: endless headers and bodies, false lengths, slow senders, too many connections."""

import contextlib
import re
import socket
import threading
import time

import httpx
import pytest

from tests.process import ServerProcess
from tests.server.hostile import PNG, head, memory, pour, wire

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "endless", [b"x-h: " + b"a" * 1000 + b"\r\n", b"a" * 65_536, b"\x00" * 65_536], ids=["many", "long", "nothing"]
)
def test_endless_headers_are_cut_off(http: httpx.Client, target: ServerProcess, endless: bytes) -> None:
    before = memory(target)
    with wire(target) as connection:
        connection.sendall(b"POST /predict HTTP/1.1\r\nx-a: ")
        said = pour(connection, endless)
    assert said.startswith((b"HTTP/1.1 431", b"HTTP/1.1 400")) or said == b""
    assert memory(target) - before < 32 << 20
    assert http.get("/health/live").status_code == 200


@pytest.mark.parametrize(
    "endless",
    [b"10000\r\n" + b"a" * 65_536 + b"\r\n", b"1;" + b"x" * 65_536, b"0\r\n" + b"x-t: " + b"a" * 65_536],
    ids=["chunks", "chunk extension", "trailer"],
)
def test_endless_bodies_are_cut_off(http: httpx.Client, target: ServerProcess, endless: bytes) -> None:
    before = memory(target)
    with wire(target) as connection:
        connection.sendall(head("Transfer-Encoding: chunked"))
        connection.sendall(endless)
        said = pour(connection, b"a" * 65_536 if not endless.startswith(b"10000") else endless)
    assert said.startswith((b"HTTP/1.1 413", b"HTTP/1.1 400", b"HTTP/1.1 408")) or said == b""
    assert memory(target) - before < 96 << 20
    assert http.get("/health/live").status_code == 200


@pytest.mark.parametrize(
    ("lines", "body", "statuses"),
    [
        (("Content-Length: 99999999999999999999",), b"", (b"400",)),
        (("Content-Length: 999999999999",), b"", (b"413",)),
        (("Content-Length: -1",), b"", (b"400",)),
        (("Content-Length: 5", "Content-Length: 6"), b"hello", (b"400",)),
        (("Content-Length: 5", "Transfer-Encoding: chunked"), b"0\r\n\r\n", (b"400",)),
        (("Transfer-Encoding: chunked, identity",), b"0\r\n\r\n", (b"400", b"422", b"408")),
        (("Transfer-Encoding: chunked",), b"fffffffffffffffff\r\n", (b"400",)),
        (("Transfer-Encoding: chunked",), b"zz\r\n", (b"400",)),
        (("Content-Length: 100",), b"less", (b"408",)),
        (("Content-Length: 2",), b"more than that", (b"400", b"422")),
    ],
)
def test_a_length_that_lies_is_found_out(
    http: httpx.Client, target: ServerProcess, lines: tuple[str, ...], body: bytes, statuses: tuple[bytes, ...]
) -> None:
    with wire(target) as connection:
        connection.sendall(head(*lines) + body)
        assert connection.recv(65536).split()[1] in statuses
    assert http.get("/health/live").status_code == 200


def test_slow_senders_do_not_delay_others_and_a_slow_body_gets_an_error(
    http: httpx.Client, target: ServerProcess, cat: bytes
) -> None:
    slow = [wire(target) for _ in range(200)]
    for connection in slow[:100]:
        connection.sendall(head("Content-Length: 1000000")[:-20])  # never the end of its headers
    for connection in slow[100:]:
        connection.sendall(head("Content-Length: 1000000") + b"a")  # never the rest of its body
    assert http.post("/predict", content=cat, headers=PNG).status_code == 200
    for connection in slow[100:]:
        assert connection.recv(65536).startswith(b"HTTP/1.1 408")
    for connection in slow:
        connection.close()


@pytest.mark.parametrize("path", ["/predict", "/layers", "/v2/models/cifar10/infer", "/v2/repository/index"])
def test_a_client_that_leaves_in_its_body_is_counted_as_gone(
    http: httpx.Client, target: ServerProcess, path: str
) -> None:
    def counted(status: str) -> float:
        found = re.search(
            rf'^convoy_requests_total{{method="POST",status="{status}"}} (\S+)', http.get("/metrics").text, re.MULTILINE
        )
        return float(found[1]) if found else 0.0

    gone, failed = counted("499"), counted("500")
    with wire(target) as connection:
        connection.sendall(head("Content-Length: 100").replace(b"/predict", path.encode()) + b"{")
    deadline = time.monotonic() + 10
    while (gone, failed) == (now := (counted("499"), counted("500"))):
        assert time.monotonic() < deadline
    assert now == (gone + 1, failed)


@pytest.mark.usefixtures("http")
def test_bodies_in_flight_have_a_limit_together(target: ServerProcess) -> None:
    before = memory(target)
    large = 15 << 20
    connections = [wire(target) for _ in range(20)]
    statuses = []

    def send(connection: socket.socket) -> None:
        connection.sendall(head(f"Content-Length: {large}"))
        with contextlib.suppress(OSError):
            connection.sendall(bytes(large - 1))  # all but its last byte
        statuses.append(connection.recv(65536).split()[1])

    senders = [threading.Thread(target=send, args=(connection,)) for connection in connections]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    for connection in connections:
        connection.close()
    assert b"503" in statuses
    assert set(statuses) <= {b"503", b"408"}
    assert memory(target) - before < 128 << 20, "20 bodies of 15 MiB were held"
