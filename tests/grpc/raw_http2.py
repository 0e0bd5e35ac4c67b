"""A minimal HTTP/2 client for bytes that no gRPC client sends; its headers are not compressed."""

import socket
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

HEADERS, DATA, SETTINGS, PING = 1, 0, 4, 6
END_HEADERS, END_STREAM, ACKNOWLEDGED = 4, 1, 1
INFER = b"/inference.GRPCInferenceService/ModelInfer"


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def call_headers(path: bytes, extra: Iterable[tuple[bytes, bytes]] = ()) -> bytes:
    fields = (
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", path),
        (b":authority", b"x"),
        (b"content-type", b"application/grpc"),
        (b"te", b"trailers"),
        *extra,
    )
    return b"".join(b"\0" + _text(name) + _text(value) for name, value in fields)


def message(content: bytes, promised: int | None = None) -> bytes:
    """A gRPC message, or the beginning of one that is longer."""
    return b"\0" + struct.pack(">I", len(content) if promised is None else promised) + content


@contextmanager
def connection(address: str) -> Iterator[socket.socket]:
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=20) as stream:
        stream.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0))
        yield stream


def begin(stream: socket.socket, number: int, headers: bytes, content: bytes, *, end: bool = False) -> None:
    """Begins a call and sends a part of its message."""
    stream.sendall(
        frame(HEADERS, END_HEADERS, number, headers) + frame(DATA, END_STREAM if end else 0, number, content)
    )


def read_until(stream: socket.socket, *wanted: bytes) -> bytes:
    """The frames that were received until one of these kinds, or until the connection was closed."""
    got = b""
    while not any(text in got for text in wanted):
        part = stream.recv(65536)
        if not part:
            break
        got += part
    return got


def _text(value: bytes) -> bytes:
    if len(value) < 127:
        return bytes((len(value),)) + value
    left, size = len(value) - 127, b"\x7f"
    while left >= 128:
        size += bytes((left % 128 | 128,))
        left //= 128
    return size + bytes((left,)) + value
