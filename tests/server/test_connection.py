"""One connection, byte by byte: pipelining, HEAD, 100-continue, incomplete requests, keep-alive."""

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.process import ServerProcess


@pytest.fixture
def wire(server: ServerProcess) -> Iterator[socket.socket]:
    address = urlsplit(server.url)
    with socket.create_connection((address.hostname, address.port), timeout=20) as connection:
        yield connection


def read_answer(wire: socket.socket, *, has_body: bool = True) -> tuple[int, dict[str, str], bytes]:
    stream = wire.makefile("rb")
    status = int(stream.readline().split()[1])
    headers = {}
    while (line := stream.readline()) not in {b"\r\n", b""}:
        name, _, value = line.decode().partition(":")
        headers[name.strip().lower()] = value.strip()
    return status, headers, stream.read(int(headers.get("content-length", 0))) if has_body else b""


def post(body: bytes, *, extra: str = "") -> bytes:
    head = f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: {len(body)}\r\n{extra}\r\n"
    return head.encode() + body


def test_a_connection_serves_one_request_after_another(wire: socket.socket, cat: bytes) -> None:
    for _ in range(3):
        wire.sendall(post(cat))
        status, _, body = read_answer(wire)
        assert status == 200
        assert b'"label":"cat"' in body


def test_pipelined_requests_are_answered_in_order(wire: socket.socket, cat: bytes) -> None:
    wire.sendall(post(cat) + post(b"no picture") + b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n" + post(cat))
    stream = b""
    while stream.count(b"HTTP/1.1 ") < 4 or not stream.endswith(b"]}"):
        stream += wire.recv(65536)
    statuses = [part.split()[0] for part in stream.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [b"200", b"422", b"200", b"200"]


def test_an_answer_without_a_body_is_whole(wire: socket.socket) -> None:
    wire.sendall(b"HEAD /docs HTTP/1.1\r\nHost: x\r\n\r\nGET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
    stream = b""
    while not stream.endswith(b'{"live":true}'):
        stream += wire.recv(65536)
    assert stream.count(b"HTTP/1.1 ") == 2


def test_a_client_that_asks_first_is_told_to_go_on(wire: socket.socket, cat: bytes) -> None:
    head, _, body = post(cat, extra="Expect: 100-continue\r\n").partition(b"\r\n\r\n")
    wire.sendall(head + b"\r\n\r\n")
    assert wire.recv(1024).startswith(b"HTTP/1.1 100 Continue")
    wire.sendall(body)
    assert read_answer(wire)[0] == 200


def test_a_request_that_comes_in_pieces_is_one_request(wire: socket.socket, cat: bytes) -> None:
    whole = post(cat)
    for start in range(0, len(whole), 301):
        wire.sendall(whole[start : start + 301])
    assert read_answer(wire)[0] == 200


def test_what_is_not_http_is_refused(wire: socket.socket) -> None:
    wire.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
    assert wire.recv(1024).startswith(b"HTTP/1.1 400")
    assert wire.recv(1024) == b""
