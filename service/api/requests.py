"""Reads the headers of a request, its time limit, and its body within the limits."""

import asyncio
import io
from collections.abc import Callable

from service.api.content_encoding import Inflater, read_coding
from service.errors import (
    ClientGoneError,
    MalformedRequestError,
    SlowBodyError,
    TooLargeError,
)
from service.http.asgi import Scope
from service.http.connection import Connection


def read_headers(scope: Scope) -> dict[bytes, bytes]:
    """The headers by name, in lower case. Repeated headers are joined to one list (RFC 9110, section 5.3)."""
    listed = scope["headers"]
    headers = dict(listed)
    if len(headers) < len(listed):
        headers = {}
        for name, value in listed:
            headers[name] = b"%b, %b" % (headers[name], value) if name in headers else value
    return headers


def read_timeout_s(header: bytes | None, limit_s: float) -> float:
    """The time limit of a request, from ``X-Request-Timeout-Ms``; never more than the service's own.

    Raises:
        MalformedRequestError: not a whole number of milliseconds from 1 up.
    """
    if header is None:
        return limit_s
    if not (header.isdigit() and len(header) <= 9 and int(header) >= 1):
        raise MalformedRequestError("X-Request-Timeout-Ms must be a whole number of milliseconds from 1 up")
    return min(limit_s, int(header) / 1e3)


async def read_body(connection: Connection, headers: dict[bytes, bytes], max_bytes: int, timeout_s: float) -> bytes:
    """Reads and, where it is compressed, inflates a body, never holding more than its limit.

    Args:
        connection: of the request.
        headers: of the request.
        max_bytes: longest body, before and after decompression.
        timeout_s: how long the client may take.

    Returns:
        The whole body.

    Raises:
        TooLargeError: it is longer than ``max_bytes``, by its Content-Length or as received.
        SlowBodyError: it came too slowly.
        UnsupportedMediaTypeError: a Content-Encoding other than gzip, deflate or identity.
        MalformedRequestError: the compressed data is broken.
        OverloadedError: the bodies of all requests together would be too long.
        ClientGoneError: the client has disconnected.
    """
    if int(headers.get(b"content-length", b"0")) > max_bytes:
        raise TooLargeError(
            f"the body has {headers[b'content-length'].decode()} bytes; at most {max_bytes} are allowed"
        )
    coding = read_coding(headers.get(b"content-encoding"))
    if coding is None and (body := connection.take_body()) is not None:
        if len(body) > max_bytes:
            raise TooLargeError(f"the body is longer than the {max_bytes} bytes allowed")
        return body
    sink = _Plain(connection.hold) if coding is None else Inflater(coding, max_bytes, connection.hold)
    try:
        async with asyncio.timeout(timeout_s):
            length, more = 0, True
            while more:
                chunk, more = await _receive(connection)
                length += len(chunk)
                if length > max_bytes:
                    raise TooLargeError(f"the body is longer than the {max_bytes} bytes allowed")
                await sink.write(chunk)
    except TimeoutError:
        raise SlowBodyError("the body did not arrive within the time limit") from None
    return sink.finish()


async def _receive(connection: Connection) -> tuple[bytes, bool]:
    """The next piece of a body, and whether more will follow."""
    message = await connection.receive()
    if message["type"] == "http.disconnect":
        raise ClientGoneError
    return message.get("body", b""), message.get("more_body", False)


class _Plain:
    """A body that is not compressed."""

    def __init__(self, hold: Callable[[int], None]) -> None:
        self._hold = hold
        self._body = io.BytesIO()  # grows in place, and getvalue() copies nothing

    async def write(self, data: bytes) -> None:
        self._hold(len(data))
        self._body.write(data)

    def finish(self) -> bytes:
        return self._body.getvalue()
