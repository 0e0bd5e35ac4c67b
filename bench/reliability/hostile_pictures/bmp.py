"""BMP files that need as much decoding work as their header and run lengths permit."""

import itertools
import struct
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image

from bench.reliability.hostile_pictures.picture import HostileFile, encode, photo

_RLE8, _RLE4 = 1, 2
_END_OF_LINE, _END, _JUMP = b"\0\0", b"\0\1", b"\0\2"
_LONGEST_RUN = 255


def honest(width: int, height: int) -> Iterator[tuple[str, bytes]]:
    """A file of each coding."""
    picture = photo(width, height)
    yield "RGB", encode(picture, "BMP")
    for coding, compression, colors in (("RLE8", _RLE8, 256), ("RLE4", _RLE4, 16)):
        yield coding, file_of(width, height, compression, _runs(photo(width, height, "L"), colors))


def file_of(width: int, height: int, compression: int, pixels: bytes) -> bytes:
    """A file of run-length encoded pixels, with a palette of colours."""
    bits = 8 if compression == _RLE8 else 4
    palette = b"".join(bytes((index, 255 - index, index ^ 85, 0)) for index in range(1 << bits))
    offset = 54 + len(palette)
    head = struct.pack("<2sIHHI", b"BM", offset + len(pixels), 0, 0, offset)
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(pixels), 0, 0, 0, 0)
    return head + info + palette + pixels


def hostile(width: int, height: int) -> Iterator[HostileFile]:
    """Every kind of slow file."""
    pixels = width * height
    most = 14 << 20

    def flood(code: bytes) -> bytes:
        return code * (most // len(code))

    yield HostileFile("RLE8: a billion lines of no pixels", "RLE8", file_of(0, 1 << 30, _RLE8, b"\0\0" * 20))
    for name, compression in (("RLE8", _RLE8), ("RLE4", _RLE4)):
        make = _maker(name, compression, width, height)
        yield make("runs of one pixel", b"\1\5" * min(pixels, most // 2))
        yield make(
            "runs of one pixel, lines ended", (b"\1\5" * width + _END_OF_LINE) * min(height, most // (2 * width + 2))
        )
        yield make("runs of 255 pixels", b"\xff\x12" * (pixels // _LONGEST_RUN + 1))
        yield make("runs past the line's end", flood(b"\xff\5"))
        yield make("ends of empty lines", flood(_END_OF_LINE))
        yield make("jumps to where it is", flood(_JUMP + b"\0\0"))
        yield make("jumps by a pixel", (_JUMP + b"\1\0") * min(pixels, most // 4))
        yield make("a pixel a line", (b"\1\5" + _END_OF_LINE) * min(height, most // 4))
        yield make("absolute runs of 3", b"\0\3\1\2\3\0" * min(pixels // 3 + 1, most // 6))
        yield make("absolute runs of none", b"\0\3" * 4)


def _maker(coding: str, compression: int, width: int, height: int) -> Callable[[str, bytes], HostileFile]:
    return lambda name, pixels: HostileFile(f"{coding}: {name}", coding, file_of(width, height, compression, pixels))


def _runs(picture: Image.Image, colors: int) -> bytes:
    indices = np.asarray(picture)[::-1] // (256 // colors)
    encoded = bytearray()
    for row in indices:
        for value, run in itertools.groupby(row.tolist()):
            length = len(list(run))
            while length:
                part = min(length, _LONGEST_RUN)
                encoded += bytes((part, value << 4 | value if colors == 16 else value))
                length -= part
        encoded += _END_OF_LINE
    return bytes(encoded + _END)
