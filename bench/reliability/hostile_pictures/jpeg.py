"""JPEG files that need as much decoding work as their markers permit."""

import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

from PIL import Image

from bench.reliability.hostile_pictures.picture import HostileFile, encode, noise, photo

_SOI, _EOI = b"\xff\xd8", b"\xff\xd9"
_ENDS_ENTROPY = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_LONG_RUN_OF_NOTHING = b"\x7f\xfe"  # the code 0, which stands for the symbol 0xE0, and 14 bits of a length
_CODINGS: dict[str, dict[str, object]] = {
    "baseline 4:2:0": {"quality": 90},
    "baseline 4:4:4": {"quality": 95, "subsampling": 0},
    "progressive 4:2:0": {"quality": 90, "progressive": True},
    "progressive 4:4:4": {"quality": 95, "progressive": True, "subsampling": 0},
}


class Segment(NamedTuple):
    """One marker of a file, its content and the entropy-coded data that follows."""

    marker: int
    content: bytes
    entropy: bytes = b""

    def __bytes__(self) -> bytes:
        return struct.pack(">BBH", 0xFF, self.marker, len(self.content) + 2) + self.content + self.entropy


def segments(data: bytes) -> list[Segment]:
    """All segments of a file between SOI and EOI."""
    found, at = [], 2
    while data[at + 1] != 0xD9:
        marker, length = struct.unpack_from(">xBH", data, at)
        content, at = data[at + 4 : at + 2 + length], at + 2 + length
        end = at
        if marker == 0xDA:
            match = _ENDS_ENTROPY.search(data, at)
            end = len(data) if match is None else match.start()
        found.append(Segment(marker, content, data[at:end]))
        at = end
    return found


def file_of(*parts: Segment) -> bytes:
    """A file of segments."""
    return b"".join((_SOI, *map(bytes, parts), _EOI))


def scan(components: tuple[int, ...], first: int, last: int, bits: int, entropy: bytes = b"") -> Segment:
    """A scan of a band of coefficients.

    Args:
        components: names of the components; all use table 0.
        first: index of the first coefficient.
        last: index of the last coefficient.
        bits: the four bits Ah and the four bits Al.
        entropy: the entropy-coded data of the scan.
    """
    names = b"".join(bytes((name, 0)) for name in components)
    return Segment(0xDA, bytes((len(components),)) + names + bytes((first, last, bits)), entropy)


def many_scans(width: int, height: int, scans: int) -> bytes:
    """A progressive file of a photograph, with additional empty scans."""
    return file_of(*segments(_progressive(photo(width, height))), *[scan((1,), 0, 0, 0x10)] * scans)


def honest(width: int, height: int) -> Iterator[tuple[str, bytes]]:
    """A file of each coding."""
    for coding, options in _CODINGS.items():
        yield coding, encode(photo(width, height), "JPEG", **options)


def hostile(width: int, height: int) -> Iterator[HostileFile]:
    """Every kind of slow file."""
    sequential, progressive = "baseline 4:4:4", "progressive 4:4:4"
    parts = segments(_progressive(photo(width, height)))
    blocks = -(-width // 8) * -(-height // 8)
    runs = _LONG_RUN_OF_NOTHING * (blocks // 16384 + 8)
    table = Segment(0xC4, b"\x10" + b"\1" + bytes(15) + b"\xe0")
    refined = scan((1,), 1, 63, 0x10, runs)
    dense = scan((1,), 1, 63, 0x10, b"\x7f" * len(runs) + bytes(blocks * 4))
    for count in (16, 22, 1000, 100_000):
        yield HostileFile(f"{count} scans of nothing", progressive, file_of(*parts, *[scan((1,), 0, 0, 0x10)] * count))
        yield HostileFile(f"{count} refining scans", progressive, file_of(*parts, table, *[refined] * count))
    for count in (2, 3, 10):
        yield HostileFile(f"{count} dense refining scans", progressive, file_of(*parts, table, *[dense] * count))
    bands = [scan((name,), band, band, 0x00, runs) for band in range(1, 64) for name in (1, 2, 3)]
    for count in (20, 189):
        yield HostileFile(f"{count} bands", progressive, file_of(*parts[:8], table, *bands[:count]))
    nothing = segments(_progressive(Image.new("RGB", (width, height), (128, 128, 128))))
    yield HostileFile("grey, 4 refining scans a component", progressive, file_of(*nothing, table, *_refinings(runs)))
    yield HostileFile("noise, progressive", progressive, _progressive(noise(width, height), quality=100))
    yield HostileFile("noise, baseline", sequential, encode(noise(width, height), "JPEG", quality=100, subsampling=0))
    first, *rest = segments(encode(photo(width, height), "JPEG", quality=95, subsampling=0))
    for count in (50, 10_000):
        yield HostileFile(f"{count} comments", sequential, file_of(first, *[Segment(0xFE, b"")] * count, *rest))
        notes = [Segment(0xE1, b"Exif\0\0" + bytes(8))] * count
        yield HostileFile(f"{count} EXIF segments", sequential, file_of(first, *notes, *rest))
        tables = [Segment(0xDB, bytes((0, *[1] * 64)) * 4)] * count
        yield HostileFile(f"{count} quantization tables", sequential, file_of(first, *tables, *rest))
    entries = b"".join(struct.pack(">HHII", tag, 4, 1, tag) for tag in range(5000))
    exif = b"Exif\0\0MM\0*\0\0\0\x08" + struct.pack(">H", 5000) + entries
    yield HostileFile("EXIF of 5,000 entries", sequential, file_of(first, Segment(0xE1, exif), *rest))
    plain = file_of(first, *rest)
    gap = len(_SOI) + len(bytes(first))
    yield HostileFile("10 MB between two segments", sequential, plain[:gap] + bytes(10 << 20) + plain[gap:])
    yield HostileFile("10 MB behind the pixels", sequential, plain[:-2] + bytes(10 << 20) + plain[-2:])
    for coding, options in _CODINGS.items():
        yield HostileFile(f"no end, {coding}", coding, encode(photo(width, height), "JPEG", **options)[:-2])
    whole = _progressive(noise(width, height), quality=100)
    yield HostileFile("noise without end, progressive", progressive, whole[:-2])
    yield HostileFile("half of it", sequential, plain[: len(plain) // 2])
    yield HostileFile("half of it, progressive", progressive, whole[: len(whole) // 2])
    restarts = b"".join(bytes((0xFF, 0xD0 + block % 8)) for block in range(blocks))
    each = [scan((1,), 0, 0, 0x10, restarts)] * 16
    yield HostileFile("a restart a block", progressive, file_of(*parts, Segment(0xDD, b"\0\1"), *each))


def _progressive(picture: Image.Image, quality: int = 95) -> bytes:
    return encode(picture, "JPEG", quality=quality, subsampling=0, progressive=True)


def _refinings(runs: bytes) -> list[Segment]:
    return [scan((name,), 1, 63, 0x10, runs) for name in (1, 2, 3)] * 4
