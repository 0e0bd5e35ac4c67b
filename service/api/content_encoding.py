"""Inflates compressed bodies a piece at a time: each is counted before the next is made, and others get their turn.

Source: RFC 9110, section 8.4.1; RFC 1952 for members of gzip.
"""

import asyncio
import io
import zlib
from collections.abc import Callable

from service.errors import MalformedRequestError, TooLargeError, UnsupportedMediaTypeError

_GZIP = 16 + zlib.MAX_WBITS
_WINDOWS = {b"gzip": _GZIP, b"x-gzip": _GZIP, b"deflate": zlib.MAX_WBITS}
_PIECE_BYTES = 262_144
_INPUT_BYTES = 65_536
_BYTES_A_TURN = 1 << 20  # 1 to 4 ms of the event loop
_MOST_MEMBERS = 1024


def read_coding(header: bytes | None) -> bytes | None:
    """The coding of a body, from ``Content-Encoding``; None where it is sent as it is.

    Raises:
        UnsupportedMediaTypeError: another than gzip, deflate or identity.
    """
    coding = b"" if header is None else header.strip().lower()
    if coding in (b"", b"identity"):
        return None
    if coding not in _WINDOWS:
        raise UnsupportedMediaTypeError(
            f"Content-Encoding {coding[:32].decode('latin-1')!r}; gzip, deflate or none is accepted"
        )
    return coding


async def inflate(body: bytes, coding: bytes, max_bytes: int, hold: Callable[[int], None]) -> bytes:
    """Inflates a body.

    Args:
        body: whole.
        coding: as :func:`read_coding` returns it.
        max_bytes: longest body, inflated.
        hold: is told of the bytes that each piece adds, before the next is made; raises where there is no room.

    Returns:
        The body as it was before compression.

    Raises:
        TooLargeError: it is longer than ``max_bytes``.
        MalformedRequestError: it is not what its coding says, ends early, or something follows it.
    """
    out, length, turn_bytes = io.BytesIO(), 0, 0
    rest, data = memoryview(body), b""
    inflater, members = zlib.decompressobj(_WINDOWS[coding]), 1
    while True:
        if not data:
            data, rest = bytes(rest[:_INPUT_BYTES]), rest[_INPUT_BYTES:]
        try:
            piece = inflater.decompress(data, _PIECE_BYTES)
        except zlib.error:
            raise MalformedRequestError(f"the body is not {coding.decode()}, or something follows it") from None
        length += len(piece)
        if length > max_bytes:
            raise TooLargeError(f"the body is longer than the {max_bytes} bytes allowed, once inflated")
        hold(len(piece))
        out.write(piece)
        data = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
        if inflater.eof:
            if not data and not rest:
                return out.getvalue()
            if _WINDOWS[coding] != _GZIP or members == _MOST_MEMBERS:
                raise MalformedRequestError(f"the {coding.decode()} body is truncated, or something follows it")
            inflater, members = zlib.decompressobj(_GZIP), members + 1
        elif not data and not rest and len(piece) < _PIECE_BYTES:
            raise MalformedRequestError(f"the {coding.decode()} body is truncated, or something follows it")
        turn_bytes += len(piece) + _INPUT_BYTES
        if turn_bytes > _BYTES_A_TURN:
            turn_bytes = 0
            await asyncio.sleep(0)
