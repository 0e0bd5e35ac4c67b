"""TIFF files that need as much decoding work as their directory permits."""

import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence

from PIL import Image

from bench.reliability.hostile_pictures.deflate import slow_stream
from bench.reliability.hostile_pictures.picture import HostileFile, encode, noise, photo

_SHORT, _LONG = 3, 4
_NONE, _LZW, _JPEG, _DEFLATE, _GROUP4, _PACK_BITS = 1, 5, 7, 8, 4, 32773
_CODINGS = {
    "none": {},
    "LZW": {"compression": "tiff_lzw"},
    "deflate": {"compression": "tiff_adobe_deflate"},
    "PackBits": {"compression": "packbits"},
    "JPEG": {"compression": "jpeg"},
    "ZSTD": {"compression": "zstd"},
}
_Tags = Mapping[int, Sequence[int]]


def honest(width: int, height: int) -> Iterator[tuple[str, bytes]]:
    """A file of each coding."""
    picture = photo(width, height)
    for coding, options in _CODINGS.items():
        yield coding, encode(picture, "TIFF", **options)
    yield "Group 4", encode(picture.convert("1"), "TIFF", compression="group4")


def tags_of(
    width: int, height: int, compression: int, offsets: Sequence[int], lengths: Sequence[int]
) -> dict[int, Sequence[int]]:
    """The tags of a colour picture in strips."""
    return {
        256: [width],
        257: [height],
        258: [8, 8, 8],
        259: [compression],
        262: [2],
        273: offsets,
        277: [3],
        278: [-(-height // len(offsets))],
        279: lengths,
    }


def file_of(tags: _Tags, pixels: bytes = b"") -> bytes:
    """A file of tags; its pixels begin at byte 8."""
    entries, blobs = b"", b""
    place = 8 + len(pixels) + len(pixels) % 2
    blobs_at = place + 2 + 12 * len(tags) + 4
    for tag, values in sorted(tags.items()):
        kind, code = (_SHORT, "H") if max(values) < 1 << 16 else (_LONG, "I")
        raw = struct.pack(f"<{len(values)}{code}", *values)
        if len(raw) > 4:
            raw, blobs = struct.pack("<I", blobs_at + len(blobs)), blobs + raw + bytes(len(raw) % 2)
        entries += struct.pack("<HHI", tag, kind, len(values)) + raw.ljust(4, b"\0")
    directory = struct.pack("<H", len(tags)) + entries + bytes(4) + blobs
    return b"II*\0" + struct.pack("<I", place) + pixels + bytes(len(pixels) % 2) + directory


def hostile(width: int, height: int) -> Iterator[HostileFile]:
    """Every kind of slow file."""
    raw = photo(width, height).tobytes()
    line = len(raw) // height

    def strips(
        name: str, coding: str, compression: int, pixels: bytes, count: int, **changes: Sequence[int]
    ) -> HostileFile:
        tags = tags_of(width, height, compression, [8] * count, [len(pixels)] * count)
        return HostileFile(
            name, coding, file_of(tags | {int(tag[1:]): values for tag, values in changes.items()}, pixels)
        )

    yield HostileFile(
        "noise, deflate", "deflate", encode(noise(width, height), "TIFF", compression="tiff_adobe_deflate")
    )
    yield HostileFile("noise, LZW", "LZW", encode(noise(width, height), "TIFF", compression="tiff_lzw"))
    yield HostileFile("noise, JPEG", "JPEG", encode(noise(width, height), "TIFF", compression="jpeg", quality=100))
    for count in (7_600, 3_000_000):
        yield strips(f"{count} strips of everything", "none", _NONE, raw, count, _278=[height])
        yield strips(f"{count} deflated strips", "deflate", _DEFLATE, zlib.compress(raw), count, _278=[height])
    lines = [8 + line * row for row in range(height)]
    yield HostileFile("a strip a line", "none", file_of(tags_of(width, height, _NONE, lines, [line] * height), raw))
    planes = [8] * height * 3
    single = tags_of(width, height, _NONE, planes, [width] * height * 3) | {278: [1], 284: [2]}
    yield HostileFile("a strip a line and plane", "none", file_of(single, raw))
    packed = zlib.compress(raw[:line])
    yield strips("deflated lines, all the same", "deflate", _DEFLATE, packed, height)
    slow_line = slow_stream(raw[:line], 1 << 16)
    yield strips("slow lines, all the same", "deflate", _DEFLATE, slow_line, height)
    for share in (0.3, 1.0, 1.9):
        slow = slow_stream(raw, min(14 << 20, int(len(raw) * share)))
        yield strips(f"empty blocks, {share:.0%} of the pixels", "deflate", _DEFLATE, slow, 1)
    clears = bytes([0x80, 0x40, 0x20, 0x10, 0x08, 0x04, 0x02, 0x01, 0x00]) * (len(raw) // 9)  # 256 in 9 bits each
    yield strips("cleared tables, LZW", "LZW", _LZW, clears, 1)
    yield strips("nothing, PackBits", "PackBits", _PACK_BITS, b"\x80" * len(raw), 1)
    for side in (1, 16):
        across, down = -(-width // side), -(-height // side)
        count = min(across * down, 500_000)
        tiles = tags_of(width, height, _NONE, [8] * count, [side * side * 3] * count)
        tiled = {tag: values for tag, values in tiles.items() if tag not in {273, 278, 279}}
        places = {322: [side], 323: [side], 324: tiles[273], 325: tiles[279]}
        yield HostileFile(f"tiles of {side} x {side}", "none", file_of(tiled | places, bytes(side * side * 3)))
    dots = Image.effect_noise((width, height), 200).convert("1", dither=Image.Dither.NONE)
    yield HostileFile("noise, Group 4", "Group 4", encode(dots, "TIFF", compression="group4"))
    many = tags_of(width, height, _NONE, [8], [len(raw)]) | {tag: [1, 2, 3] for tag in range(1000, 5000)}
    yield HostileFile("4,000 tags", "none", file_of(many, raw))
    progressive = encode(photo(width, height), "JPEG", progressive=True, subsampling=0)
    yield strips("progressive JPEG", "JPEG", _JPEG, progressive, 1, _262=[2])
