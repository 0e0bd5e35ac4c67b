"""PNG files that need as much decoding work as their chunks permit."""

import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

from bench.reliability.hostile_pictures.deflate import slow_stream
from bench.reliability.hostile_pictures.picture import HostileFile, encode, noise, photo


def chunk(kind: bytes, content: bytes) -> bytes:
    """One chunk, with a correct checksum."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def file_of(width: int, height: int, *chunks: bytes, depth: int = 8, color: int = 2, interlace: int = 0) -> bytes:
    """A file of chunks."""
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlace)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(chunks) + chunk(b"IEND", b"")


def rows_of(picture: Image.Image) -> bytes:
    """The rows of a picture, unfiltered."""
    return b"".join(b"\0" + row.tobytes() for row in np.asarray(picture))


def honest(width: int, height: int) -> Iterator[tuple[str, bytes]]:
    """A file of each coding."""
    yield "RGB", encode(photo(width, height), "PNG")


def hostile(width: int, height: int) -> Iterator[HostileFile]:
    """Every kind of slow file."""
    rows = rows_of(photo(width, height))
    stream = zlib.compress(rows, 6)
    pixels = chunk(b"IDAT", stream)

    def case(name: str, *chunks: bytes) -> HostileFile:
        return HostileFile(name, "RGB", file_of(width, height, *chunks))

    yield HostileFile("noise", "RGB", encode(noise(width, height), "PNG"))
    for share in (0.3, 1.0, 4.0):
        slow = slow_stream(bytes(len(rows)), min(16 << 20, int(len(rows) * share)))
        yield case(f"empty blocks, {share:.0%} of the pixels", chunk(b"IDAT", slow))
    single = [chunk(b"IDAT", stream[at : at + 1]) for at in range(min(len(stream), 100_000))]
    yield case("pixels in chunks of one byte", *single, chunk(b"IDAT", stream[100_000:]))
    yield case("100 empty chunks", *[chunk(b"IDAT", b"")] * 100, pixels)
    yield case("100,000 empty chunks", *[chunk(b"IDAT", b"")] * 100_000, pixels)
    yield case("100,000 unknown chunks", pixels, *[chunk(b"abCd", b"")] * 100_000)
    yield case("10 MB behind the stream", chunk(b"IDAT", stream + bytes(10 << 20)))
    bomb = zlib.compress(bytes(1 << 20), 9)
    yield case("60 texts of 1 MB", *[chunk(b"zTXt", b"%d\0\0" % index + bomb) for index in range(60)], pixels)
    yield case("60 XMP packets of 1 MB", *[chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + bomb)] * 60, pixels)
    yield case("slow colour profile", chunk(b"iCCP", b"x\0\0" + slow_stream(bytes(100), 60_000)), pixels)
    yield case("colour profile of 1 MB", chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(1 << 20), 9)), pixels)
    control = struct.pack(">IIIIIHHBB", 0, width, height, 0, 0, 1, 1, 0, 0)
    frames = (
        chunk(b"fcTL", struct.pack(">I", 2 * index + 1) + control[4:])
        + chunk(b"fdAT", struct.pack(">I", 2 * index + 2) + stream)
        for index in range(20)
    )
    yield case("20 frames", chunk(b"acTL", struct.pack(">II", 21, 0)), chunk(b"fcTL", control), pixels, *frames)
    entries = b"".join(struct.pack(">HHII", tag, 4, 1, tag) for tag in range(5000))
    yield case("EXIF of 5,000 entries", chunk(b"eXIf", b"MM\0*\0\0\0\x08" + struct.pack(">H", 5000) + entries), pixels)
