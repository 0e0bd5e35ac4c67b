"""Request heads, byte by byte: heads that RFC 9112 forbids get the right status, and an Upgrade is ignored."""

import re
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from tests.process import SAMPLES, ServerProcess
from tests.server.hostile import until_closed, wire

H2C = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n"
POST = "POST /predict HTTP/1.1\r\nHost: x\r\n"
CHUNKED = b"5\r\nhello\r\n0\r\n\r\n"
LONG = "a" * 100_000
NINE = f"A: {LONG[:9000]}\r\n" * 9
HEADS = {
    "no Host": ("GET /health/live HTTP/1.1\r\n\r\n", b"", 400),
    "two Hosts": ("GET /health/live HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", b"", 400),
    "a Host that is none": ("GET /health/live HTTP/1.1\r\nHost: a b\r\n\r\n", b"", 400),
    "a Host with a port that is none": ("GET /health/live HTTP/1.1\r\nHost: a:b\r\n\r\n", b"", 400),
    "half an address": ("GET /health/live HTTP/1.1\r\nHost: [::1\r\n\r\n", b"", 400),
    "another coding before chunked": (f"{POST}Transfer-Encoding: gzip, chunked\r\n\r\n", CHUNKED, 501),
    "another coding after chunked": (f"{POST}Transfer-Encoding: chunked, gzip\r\n\r\n", CHUNKED, 400),
    "chunked in HTTP/1.0": ("POST /predict HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", CHUNKED, 400),
    "HTTP/2.0": ("GET /health/live HTTP/2.0\r\nHost: x\r\n\r\n", b"", 505),
    "HTTP/3.0": ("GET /health/live HTTP/3.0\r\nHost: x\r\n\r\n", b"", 505),
    "no version": ("GET /health/live\r\n\r\n", b"", 505),
    "the preface of HTTP/2": ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"", 505),
    "a long header": (f"GET /health/live HTTP/1.1\r\nHost: x\r\nA: {LONG}\r\n\r\n", b"", 431),
    "a long target": (f"GET /health/live?{LONG} HTTP/1.1\r\nHost: x\r\n\r\n", b"", 431),
    "long headers together": (f"GET /health/live HTTP/1.1\r\nHost: x\r\n{NINE}\r\n", b"", 431),
    "very many headers": ("GET /health/live HTTP/1.1\r\nHost: x\r\n" + "a:\r\n" * 5000 + "\r\n", b"", 431),
    "CONNECT": ("CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n", b"", 501),
    "a method that is not known": ("FOO /predict HTTP/1.1\r\nHost: x\r\n\r\n", b"", 501),
    "a method in small letters": ("get /health/live HTTP/1.1\r\nHost: x\r\n\r\n", b"", 501),
    "no space after the method": ("GET/health/live HTTP/1.1\r\nHost: x\r\n\r\n", b"", 400),
    "a trailer for the connection": (
        f"{POST}Transfer-Encoding: chunked\r\n\r\n",
        b"5\r\nhello\r\n0\r\nConnection: close\r\n\r\n",
        400,
    ),
    "a space before the colon": ("GET /health/live HTTP/1.1\r\nHost : x\r\n\r\n", b"", 400),
    "a line that goes on": ("GET /health/live HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n", b"", 400),
    "TLS": ("\x16\x03\x01\x02\x00\x01\x00\x01", b"", 400),
}


def statuses(said: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", said)]


@pytest.mark.parametrize("pieces", ["at once", "in pieces"])
@pytest.mark.parametrize("kind", HEADS)
def test_a_head_that_must_not_be_answered_is_refused_and_ends_the_connection(
    server: ServerProcess, kind: str, pieces: str
) -> None:
    head, body, status = HEADS[kind]
    data = head.encode("latin-1") + body
    with wire(server) as connection:
        if pieces == "at once":
            connection.sendall(data)
        else:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            step = max(7, len(data) // 9)
            for start in range(0, len(data), step):
                connection.sendall(data[start : start + step])
        said = until_closed(connection)
    assert int(said.split()[1]) == status, said
    assert b"connection: close" in said
    assert len(statuses(said)) == 1
    assert b"Error" not in said


def test_what_is_refused_waits_for_the_answers_before_it(server: ServerProcess, cat: bytes) -> None:
    with wire(server) as connection:
        connection.sendall(post(cat) + post(cat) + b"GET / HTTP/2.0\r\n\r\n" + post(cat))
        said = until_closed(connection)
    assert statuses(said) == [200, 200, 505]


@pytest.mark.parametrize(
    "head",
    [
        "GET / HTTP/1.0\r\n\r\n",
        "GET http://example.org/health/live HTTP/1.1\r\nHost: example.org\r\n\r\n",
        "GET /health/live HTTP/1.1\r\nHost: [::1]:8000\r\n\r\n",
        "GET /health/live HTTP/1.1\r\nHost: [fe80::1%25eth0]\r\n\r\n",
        "GET /health/live HTTP/1.1\r\nHost: a.b:80 \t\r\nX-Request-Timeout-Ms: 5000 \r\n\r\n",
        "GET /health/live HTTP/1.1\r\nHost:\r\nTransfer-Encoding:  Chunked \r\n\r\n0\r\n\r\n",
    ],
)
def test_what_is_allowed_is_answered(server: ServerProcess, head: str) -> None:
    with wire(server) as connection:
        connection.sendall(head.encode())
        assert int(connection.recv(65536).split()[1]) < 400


def test_a_head_of_nearly_64_kib_is_answered(server: ServerProcess) -> None:
    with wire(server) as connection:
        for _ in range(2):
            connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\nA: %b\r\n\r\n" % (b"a" * 65_000))
            assert connection.recv(65536).startswith(b"HTTP/1.1 200")


def post(body: bytes, extra: str = "") -> bytes:
    return (
        f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n{extra}Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def answers(connection: socket.socket, count: int) -> bytes:
    said = b""
    while said.count(b"HTTP/1.1 ") < count or not said.endswith((b"]}", b"true}")):
        said += connection.recv(65536)
    return said


@pytest.mark.parametrize("pieces", ["at once", "body apart"])
def test_an_upgrade_is_ignored_and_the_body_read(server: ServerProcess, cat: bytes, pieces: str) -> None:
    probe = f"GET /health/live HTTP/1.1\r\nHost: x\r\n{H2C}\r\n".encode()
    chunked = (
        f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n{H2C}Transfer-Encoding: chunked\r\n\r\n"
    ).encode() + b"%x\r\n%b\r\n0\r\n\r\n" % (len(cat), cat)
    with wire(server) as connection:
        for request in (post(cat, H2C), chunked, probe + post(cat, H2C), post(cat)):
            head, _, body = request.partition(b"\r\n\r\n")
            connection.sendall(head + b"\r\n\r\n")
            if pieces == "body apart":
                connection.sendall(body[:100])
                body = body[100:]
            connection.sendall(body)
            said = answers(connection, 2 if request.startswith(probe) else 1)
            assert said.count(b"HTTP/1.1 200") == said.count(b"HTTP/1.1 ")
            assert b'"label":"cat"' in said


@pytest.mark.parametrize("host", ["", "Host: x\r\n"])
def test_an_upgrade_changes_no_version(server: ServerProcess, host: str) -> None:
    with wire(server) as connection:
        connection.sendall(f"GET /health/live HTTP/1.0\r\n{host}{H2C}\r\n".encode())
        said = until_closed(connection)
    assert statuses(said) == [200]
    assert b"connection: close" in said


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl_that_asks_for_http_2_is_answered_in_http_1(server: ServerProcess, tmp_path: Path) -> None:
    features = subprocess.run(["curl", "--version"], check=True, capture_output=True, text=True).stdout
    if "HTTP2" not in features:
        pytest.skip("this curl speaks no HTTP/2")
    picture, url = SAMPLES / "cifar10_cat_0.png", f"{server.url}/predict"
    said = subprocess.run(
        ["curl", "-sS", "--http2", "-H", "Content-Type: image/png", "--data-binary", f"@{picture}", url, url],
        check=True,
        capture_output=True,
        cwd=tmp_path,
    ).stdout
    assert said.count(b'"index":3') == 2


def test_trailers_are_not_headers(server: ServerProcess, cat: bytes) -> None:
    with wire(server) as connection:
        connection.sendall(
            b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"%x\r\n%b\r\n0\r\nX-Request-ID: from-a-trailer\r\nHost: y\r\n\r\n" % (len(cat), cat)
        )
        said = answers(connection, 1)
    assert b" 200 " in said
    assert b"from-a-trailer" not in said


def test_a_client_that_pipelines_without_end_is_answered_for_a_while(server: ServerProcess) -> None:
    with wire(server) as connection:
        connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n" * 5000)
        said = until_closed(connection)
    assert 64 <= said.count(b"HTTP/1.1 200") < 5000
    assert said.endswith(b'{"live":true}')


def test_an_early_answer_reaches_a_client_that_is_still_sending(server: ServerProcess) -> None:
    with wire(server) as connection:
        connection.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 40000000\r\n\r\n")
        connection.sendall(bytes(40_000_000))
        assert connection.recv(65536).startswith(b"HTTP/1.1 413")
        connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")


def test_a_body_that_was_not_asked_for_is_not_taken_for_a_request(server: ServerProcess) -> None:
    """With Expect, the client may send its body or not, so the connection is closed after any answer other than 100."""
    with wire(server) as connection:
        connection.sendall(
            b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\nExpect: 100-continue\r\n\r\n"
        )
        said = until_closed(connection)
    assert said.startswith(b"HTTP/1.1 413")
    assert b"connection: close" in said
