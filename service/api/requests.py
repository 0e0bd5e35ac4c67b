"""Reads a request off the wire: its body within limits, and the parameters that ``/predict`` knows."""

import asyncio
import zlib
from typing import NamedTuple
from urllib.parse import parse_qsl

from service.errors import (
    ClientGoneError,
    MalformedRequestError,
    SlowBodyError,
    TooLargeError,
    UnsupportedMediaTypeError,
)
from service.http.connection import Connection

_MOST_PARAMETERS = 16
_WINDOWS = {b"gzip": 16 + zlib.MAX_WBITS, b"deflate": zlib.MAX_WBITS}


class Parameters(NamedTuple):
    """The query of a prediction.

    Attributes:
        model: name, or None for the default.
        version: or None for the newest.
        top_k: how many labels to list, or None.
    """

    model: str | None = None
    version: str | None = None
    top_k: int | None = None


NO_PARAMETERS = Parameters()


def read_parameters(query: bytes) -> Parameters:
    """Parses ``model``, ``version`` and ``top_k``.

    Raises:
        MalformedRequestError: an unknown or repeated parameter, or ``top_k`` is not a whole number from 1 up.
    """
    if not query:
        return NO_PARAMETERS
    try:
        pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True, max_num_fields=_MOST_PARAMETERS)
    except ValueError as error:
        raise MalformedRequestError(f"the query has more than {_MOST_PARAMETERS} parameters") from error
    values = dict(pairs)
    if unknown := [key for key in values if key not in Parameters._fields]:
        raise MalformedRequestError(f"unknown parameter {unknown[0][:64]!r}; known: {', '.join(Parameters._fields)}")
    if len(values) < len(pairs):
        raise MalformedRequestError("a parameter is given twice")
    top_k = values.get("top_k")
    if top_k is not None and not (top_k.isascii() and top_k.isdecimal() and len(top_k) <= 9 and int(top_k) >= 1):
        raise MalformedRequestError(f"top_k is {top_k[:16]!r}; it must be a whole number from 1 up")
    return Parameters(values.get("model"), values.get("version"), None if top_k is None else int(top_k))


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
    if connection.is_body_here():
        body = connection.take_body()
    else:
        body = await _read_slowly(connection, max_bytes, timeout_s)
    if len(body) > max_bytes:
        raise TooLargeError(f"the body is longer than the {max_bytes} bytes allowed")
    encoding = headers.get(b"content-encoding")
    if encoding is None or encoding == b"identity":
        return body
    if encoding not in _WINDOWS:
        raise UnsupportedMediaTypeError(
            f"Content-Encoding {encoding[:32].decode('latin-1')!r}; gzip, deflate or none is accepted"
        )
    plain = _inflate(body, max_bytes, encoding)
    connection.hold(len(plain))
    return plain


async def _read_slowly(connection: Connection, max_bytes: int, timeout_s: float) -> bytes:
    chunks, length, more = [], 0, True
    try:
        async with asyncio.timeout(timeout_s):
            while more and length <= max_bytes:
                message = await connection.receive()
                if message["type"] == "http.disconnect":
                    raise ClientGoneError
                chunk = message.get("body", b"")
                connection.hold(len(chunk))
                chunks.append(chunk)
                length += len(chunk)
                more = message.get("more_body", False)
    except TimeoutError:
        raise SlowBodyError("the body did not arrive within the time limit") from None
    return b"".join(chunks)


def _inflate(body: bytes, max_bytes: int, encoding: bytes) -> bytes:
    inflater = zlib.decompressobj(_WINDOWS[encoding])
    try:
        plain = inflater.decompress(body, max_bytes + 1)
    except zlib.error as error:
        raise MalformedRequestError(f"the body is not {encoding.decode()}: {error}") from error
    if len(plain) > max_bytes:
        raise TooLargeError(f"the body is longer than the {max_bytes} bytes allowed, once inflated")
    if not inflater.eof or inflater.unused_data:
        raise MalformedRequestError(f"the {encoding.decode()} body is truncated, or something follows it")
    return plain
