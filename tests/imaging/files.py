"""Makes picture files byte by byte, in layouts that no installed encoder writes."""

import struct
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.request_bytes import picture_bytes
from imaging import Target, read

_SHORT, _LONG, _LONG8 = 3, 4, 16


def read_whole(data: bytes, size: tuple[int, int], mode: str = "RGB") -> NDArray[np.uint8]:
    """The pixels of a file for a model with an input of the picture's size, uint8 [H, W, C]."""
    width, height = size
    return read(data, Target(height, width, mode, "stretch", light_on_dark=False))


def photo(width: int, height: int) -> Image.Image:
    """Smooth colours, so that a lossy format keeps them."""
    rng = np.random.default_rng(3)
    return Image.fromarray(rng.integers(0, 256, (3, 4, 3), np.uint8)).resize((width, height), Image.Resampling.BICUBIC)


def largest_difference(pixels: NDArray[np.uint8], wanted: NDArray[np.generic]) -> int:
    return int(np.abs(pixels.astype(int) - wanted.reshape(*wanted.shape[:2], -1)).max())


def write_tiff(
    tags: Mapping[int, Sequence[int]],
    strips: Sequence[bytes],
    *,
    order: str = "<",
    is_big: bool = False,
    is_tiled: bool = False,
) -> bytes:
    """A TIFF of one picture.

    Args:
        tags: the integers of each tag; the tags of the strips are added.
        strips: pixel data of the strips or tiles.
        order: byte order, ``<`` or ``>``.
        is_big: whether it is a BigTIFF.
        is_tiled: whether ``strips`` are tiles.
    """
    offset_code, entry, value_bytes = ("Q", "HHQ", 8) if is_big else ("I", "HHI", 4)
    start = 16 if is_big else 8
    places = [start + sum(map(len, strips[:index])) for index in range(len(strips))]
    kind = _LONG8 if is_big else _LONG
    fields = {tag: (_SHORT if max(values) < 1 << 16 else _LONG, list(values)) for tag, values in tags.items()}
    offsets, lengths = (324, 325) if is_tiled else (273, 279)
    fields |= {offsets: (kind, places), lengths: (kind, [len(strip) for strip in strips])}
    body = b"".join(strips)
    body += bytes((start + len(body)) % 2)
    place = start + len(body)
    blobs_at = place + (8 if is_big else 2) + (20 if is_big else 12) * len(fields) + value_bytes
    table, blobs = b"", b""
    for tag, (code, values) in sorted(fields.items()):
        raw = struct.pack(f"{order}{len(values)}{ {_SHORT: 'H', _LONG: 'I', _LONG8: 'Q'}[code] }", *values)
        if len(raw) > value_bytes:
            blobs, raw = blobs + raw, struct.pack(order + offset_code, blobs_at + len(blobs))
        table += struct.pack(order + entry, tag, code, len(values)) + raw.ljust(value_bytes, b"\0")
    magic = b"II" if order == "<" else b"MM"
    head = magic + (struct.pack(order + "HHHQ", 43, 8, 0, place) if is_big else struct.pack(order + "HI", 42, place))
    count = struct.pack(order + ("Q" if is_big else "H"), len(fields))
    return head + body + count + table + bytes(value_bytes) + blobs


def write_bmp(
    words: NDArray[np.unsignedinteger], masks: Sequence[int], *, header_size: int = 40, compression: int = 3
) -> bytes:
    """A BMP of words [H, W] with 16 or 32 bits, and with a bit mask for each channel."""
    height, width = words.shape
    bits = words.itemsize * 8
    rows = [row.tobytes().ljust((width * bits + 31) // 32 * 4, b"\0") for row in words[::-1]]
    info = struct.pack("<IiiHHIIiiII", header_size, width, height, 1, bits, compression, 0, 0, 0, 0, 0)
    if header_size > 40:
        info = (info + struct.pack(f"<{len(masks)}I", *masks)).ljust(header_size, b"\0")
    else:
        info += struct.pack(f"<{len(masks)}I", *masks)
    offset = 14 + len(info)
    body = b"".join(rows)
    return struct.pack("<2sIHHI", b"BM", offset + len(body), 0, 0, offset) + info + body


def noisy_pictures() -> dict[str, bytes]:
    """Files that make codecs print warnings: thousands of rows that cannot be decoded, or thousands of unknown tags."""
    junk = np.random.default_rng(1).bytes(400_000)
    tags = {256: [4000], 257: [4000], 262: [1], 277: [1], 278: [4000]}
    files = {f"fax {code}": write_tiff({**tags, 258: [1], 259: [code]}, [junk]) for code in (2, 3, 4)}
    files |= {f"TIFF {code}": write_tiff({**tags, 258: [8], 259: [code]}, [junk]) for code in (5, 7, 8, 32773, 34925)}
    table = b"".join(struct.pack(">HHII", 0x9000 + index, 2, 5000, 7 * index) for index in range(900))
    exif = b"Exif\0\0MM\0*" + struct.pack(">IH", 8, 900) + table
    picture = photo(32, 32)
    files |= {f"EXIF in {kind}": picture_bytes(picture, kind, exif=exif) for kind in ("JPEG", "PNG", "WEBP")}
    files["a palette's transparency"] = picture_bytes(picture.quantize(8), "PNG", transparency=bytes([0, 3, 9]))
    return files
