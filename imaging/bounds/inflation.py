"""Inflates compressed data other than pixels, within limits of bytes and time."""

import zlib
from collections.abc import Iterator
from contextlib import suppress

from imaging.errors import UnreadableError
from imaging.meter import Meter

_PIECE_BYTES = 4096
_BYTE_S, _LEAST_S = 15e-9, 5e-4


class DamagedError(UnreadableError):
    """The stream is not a zlib stream, or ends inside a block."""


def inflate(data: bytes, most: int) -> bytes:
    """Inflates a zlib stream (RFC 1950).

    Args:
        data: the stream.
        most: most bytes of the result.

    Raises:
        UnreadableError: the result is longer.
        DamagedError: the stream is broken.
        TooSlowError: inflating takes many times longer than usual for its length.
    """
    content = b"".join(_pieces(data, most + 1))
    if len(content) > most:
        raise UnreadableError(f"its header is broken (compressed data of more than {most} bytes)")
    return content


def inflate_head(data: bytes, most: int) -> bytes:
    """Inflates the undamaged beginning of a zlib stream, at most ``most`` bytes.

    Raises:
        TooSlowError: as :func:`inflate`.
    """
    pieces: list[bytes] = []
    with suppress(DamagedError):
        pieces.extend(_pieces(data, most))
    return b"".join(pieces)


def _pieces(data: bytes, most: int) -> Iterator[bytes]:
    inflater, room = zlib.decompressobj(), most
    meter = Meter(len(data) * _BYTE_S, _LEAST_S)
    for offset in range(0, len(data), _PIECE_BYTES):
        meter.check()
        try:
            piece = inflater.decompress(data[offset : offset + _PIECE_BYTES], room)
        except zlib.error:
            raise DamagedError("its header is broken (compressed data that is damaged)") from None
        yield piece
        room -= len(piece)
        if room <= 0 or inflater.eof:
            return
