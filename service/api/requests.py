"""Reads a request off the wire: its body within limits, and its time limit."""

import asyncio
import io

from service.api.content_encoding import inflate, read_coding
from service.errors import (
    ClientGoneError,
    MalformedRequestError,
    SlowBodyError,
    TooLargeError,
)
from service.http.connection import Connection


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
        connection: that it comes by.
        headers: of the request.
        max_bytes: longest body, before and after decompression.
        timeout_s: how long the client may take.

    Returns:
        The body, whole.

    Raises:
        TooLargeError: it is longer, whatever its Content-Length says.
        SlowBodyError: it came too slowly.
        UnsupportedMediaTypeError: a Content-Encoding other than gzip, deflate or identity.
        MalformedRequestError: the compressed data is broken.
        OverloadedError: the bodies of all requests together would be too long.
        ClientGoneError: the client went away.
    """
    if int(headers.get(b"content-length", b"0")) > max_bytes:
        raise TooLargeError(
            f"the body has {headers[b'content-length'].decode()} bytes; at most {max_bytes} are allowed"
        )
    coding = read_coding(headers.get(b"content-encoding"))
    if connection.is_body_here():
        body = connection.take_body()
    else:
        body = await _read_slowly(connection, max_bytes, timeout_s)
    if len(body) > max_bytes:
        raise TooLargeError(f"the body is longer than the {max_bytes} bytes allowed")
    if coding is None:
        return body
    compressed_bytes = connection.held_bytes
    plain = await inflate(body, coding, max_bytes, connection.hold)
    connection.release(compressed_bytes)
    return plain


async def _read_slowly(connection: Connection, max_bytes: int, timeout_s: float) -> bytes:
    body, length, more = io.BytesIO(), 0, True  # grows in place, and gives its bytes away without a copy
    try:
        async with asyncio.timeout(timeout_s):
            while more and length <= max_bytes:
                message = await connection.receive()
                if message["type"] == "http.disconnect":
                    raise ClientGoneError
                chunk = message.get("body", b"")
                connection.hold(len(chunk))
                body.write(chunk)
                length += len(chunk)
                more = message.get("more_body", False)
    except TimeoutError:
        raise SlowBodyError("the body did not arrive within the time limit") from None
    return body.getvalue()
