"""GIF files that need as much decoding work as their blocks permit."""

import struct
from collections.abc import Iterator

from PIL import Image

from bench.reliability.hostile_pictures.picture import HostileFile, encode, photo

_SCREEN = struct.Struct("<HHBBB")
_FRAME = struct.Struct("<HHHHB")
_TRAILER = b";"


def honest(width: int, height: int) -> Iterator[tuple[str, bytes]]:
    """A file of each coding."""
    picture = photo(width, height).quantize(256)
    yield "full frame", encode(picture, "GIF")
    yield "interlaced", encode(picture, "GIF", interlace=1)


def parts_of(data: bytes) -> tuple[bytes, bytes, bytes]:
    """(header with palette, extensions, frame and the rest) of a file that Pillow wrote."""
    at = 13 + (3 << (data[10] & 7) + 1 if data[10] & 128 else 0)
    start = at
    while data[at] == ord("!"):
        at += 2
        while data[at]:
            at += data[at] + 1
        at += 1
    return data[:start], data[start:at], data[at:]


def hostile(width: int, height: int) -> Iterator[HostileFile]:
    """Every kind of slow file."""
    whole = encode(photo(width, height).quantize(256), "GIF")
    head, extensions, frame = parts_of(whole)

    def case(name: str, *parts: bytes) -> HostileFile:
        return HostileFile(name, "full frame", b"".join((head, *parts)))

    for count in (500, 1_000_000):
        yield case(f"comment of {count} blocks of a byte", b"!\xfe" + b"\1a" * count + b"\0", extensions, frame)
        yield case(f"{count} empty extensions", b"!\xfe\0" * count, extensions, frame)
        yield case(f"{count} bytes of nothing", bytes(count), extensions, frame)
    yield case("5 MB of comments", b"!\xfe" + (b"\xff" + bytes(255)) * 20_000 + b"\0", extensions, frame)
    start = _frame_of(0, 0, width, height)
    pixels = frame[10:]
    data = _unblocked(pixels[1:])
    small = b"".join(b"\1" + data[at : at + 1] for at in range(min(len(data), 1 << 20)))
    yield case("blocks of a byte", extensions, start, pixels[:1], small, b"\0", _TRAILER)
    clears = _bits_of([4] * 8, 3) * ((8 << 20) // 3)  # codes that clear the table, and make no pixel
    yield case("8 MB of cleared tables", extensions, start, b"\2", _blocked(clears), _TRAILER)
    one_each = _bits_of([4, 1] * (width * height), 3)
    yield case("a cleared table a pixel", extensions, start, b"\2", _blocked(one_each), _TRAILER)
    yield case("10 MB behind the frame", extensions, frame[:-1], bytes(10 << 20), _TRAILER)
    control = b"!\xf9\4\1\0\0\0\0"
    yield case("100 frames", *[control + frame[:-1]] * 100, _TRAILER)
    dot = encode(Image.new("P", (1, 1)), "GIF")
    dot_pixels = parts_of(dot)[2][10:]
    yield case("a frame of one pixel", control, _frame_of(0, 0, 1, 1), dot_pixels)
    yield case("a frame of all but one line", control, _frame_of(0, 0, width, max(1, height - 1)), pixels)
    canvas = whole[:6] + _SCREEN.pack(1, 1, *whole[10:13]) + head[13:]
    yield HostileFile("a frame beyond its canvas", "full frame", canvas + extensions + frame)


def _frame_of(left: int, top: int, width: int, height: int) -> bytes:
    return b"," + _FRAME.pack(left, top, width, height, 0)


def _bits_of(codes: list[int], width: int) -> bytes:
    """Codes of a fixed number of bits, the lowest bit first."""
    together = 8  # codes, which fill whole bytes
    packed = bytearray()
    for at in range(0, len(codes), together):
        value = sum(code << width * place for place, code in enumerate(codes[at : at + together]))
        packed += value.to_bytes(width, "little")
    return bytes(packed)


def _blocked(data: bytes) -> bytes:
    return b"".join(bytes((len(part),)) + part for part in _parts(data, 255)) + b"\0"


def _unblocked(blocks: bytes) -> bytes:
    data, at = bytearray(), 0
    while blocks[at]:
        data += blocks[at + 1 : at + 1 + blocks[at]]
        at += blocks[at] + 1
    return bytes(data)


def _parts(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))
