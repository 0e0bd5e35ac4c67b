"""Decompresses bodies piece by piece: each piece is counted before the next, and other requests run between pieces.

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
    """The coding of a body, from ``Content-Encoding``; None where it is not compressed.

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


class Inflater:
    """Decompresses a body while it arrives, so that the compressed body is never held as a whole.

    Args:
        coding: as :func:`read_coding` returns it.
        max_bytes: longest body, after decompression.
        hold: called with the bytes that each piece adds; raises where there is no room.
    """

    def __init__(self, coding: bytes, max_bytes: int, hold: Callable[[int], None]) -> None:
        self._coding = coding.decode()
        self._window = _WINDOWS[coding]
        self._max_bytes = max_bytes
        self._hold = hold
        self._member = zlib.decompressobj(self._window)
        self._members = 1
        self._plain = io.BytesIO()  # grows in place, and getvalue() copies nothing
        self._length = 0
        self._turn_bytes = 0

    async def write(self, data: bytes) -> None:
        """Takes the next bytes of the body.

        Raises:
            TooLargeError: after decompression, it is longer than ``max_bytes``.
            MalformedRequestError: its data does not match its coding, or something follows it.
        """
        for start in range(0, len(data), _INPUT_BYTES):
            rest = data[start : start + _INPUT_BYTES]
            while rest:
                if self._member.eof:
                    self._begin_member()
                rest = self._inflate(rest)
                if self._turn_bytes > _BYTES_A_TURN:
                    self._turn_bytes = 0
                    await asyncio.sleep(0)

    def finish(self) -> bytes:
        """The body as it was before compression.

        Raises:
            MalformedRequestError: it ended early.
        """
        if not self._member.eof:
            raise MalformedRequestError(f"the {self._coding} body is truncated, or something follows it")
        return self._plain.getvalue()

    def _begin_member(self) -> None:
        if self._window != _GZIP or self._members == _MOST_MEMBERS:
            raise MalformedRequestError(f"the {self._coding} body has too many members, or something follows it")
        self._member = zlib.decompressobj(self._window)
        self._members += 1

    def _inflate(self, data: bytes) -> bytes:
        """Decompresses one piece; returns the data that is left."""
        try:
            piece = self._member.decompress(data, _PIECE_BYTES)
        except zlib.error:
            raise MalformedRequestError(f"the body is not {self._coding}, or something follows it") from None
        self._length += len(piece)
        if self._length > self._max_bytes:
            raise TooLargeError(f"the body is longer than the {self._max_bytes} bytes allowed, once inflated")
        self._hold(len(piece))
        self._plain.write(piece)
        self._turn_bytes += len(piece) + _INPUT_BYTES
        return self._member.unused_data if self._member.eof else self._member.unconsumed_tail
