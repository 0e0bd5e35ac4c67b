"""WebP (Google, "WebP Container Specification" and RFC 9649).

Its codec allocates the whole canvas when a file is opened, so the canvas size is read here first.
"""

import struct

from PIL import Image
from PIL.WebPImagePlugin import WebPImageFile

from imaging.errors import UnreadableError
from imaging.formats.codec import Reading, load, open_with
from imaging.header import Header
from imaging.target import Target

_SIDE = 0x3FFF  # 14 bits
_MOST_CANVAS = (1 << 32) - 1  # "the product of Canvas Width and Canvas Height MUST be at most 2^32 - 1"
_ANIMATION = 2  # a flag of VP8X
_VP8_START = b"\x9d\x01\x2a"
_VP8L_START = 0x2F


def read_header(data: bytes) -> Header:
    """Reads the canvas's size from the first chunk.

    Raises:
        UnreadableError: the chunk is none of the three kinds.
    """
    with Reading("its header is broken"):
        width, height = _canvas(data)
    if width * height > _MOST_CANVAS:
        raise UnreadableError("its header is broken (a canvas of more than 2^32 pixels)")
    return Header("WEBP", width, height, pixel_bytes=17)  # two canvases, the frame, and the picture made of it


def decode(data: bytes, header: Header, _target: Target) -> Image.Image:
    """Decodes the first frame.

    Raises:
        UnreadableError: it is truncated or broken.
    """
    (length,) = struct.unpack_from("<I", data, 4)
    if length + 8 > len(data):
        raise UnreadableError(f"its pixels are truncated or broken (it has {len(data)} of {length + 8} bytes)")
    picture = open_with(WebPImageFile, data, header)
    load(picture)
    frame = _first_frame(data)
    if frame is None or picture.mode != "RGB" or frame == (0, 0, *picture.size):
        return picture
    # Without an alpha channel, the codec makes the canvas outside the frame black.
    canvas = Image.new("RGB", picture.size, "white")
    canvas.paste(picture.crop(frame), frame)
    canvas.info = picture.info
    return canvas


def _first_frame(data: bytes) -> tuple[int, int, int, int] | None:
    """(left, top, right, bottom) of an animation's first frame on the canvas; None where there is no animation."""
    if data[12:16] != b"VP8X" or not data[20] & _ANIMATION:
        return None
    at = 12
    while at + 20 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, at)
        if kind == b"ANMF":
            half_left, half_top, right, bottom = (
                int.from_bytes(data[place : place + 3], "little") for place in range(at + 8, at + 20, 3)
            )
            left, top = 2 * half_left, 2 * half_top
            return left, top, left + right + 1, top + bottom + 1
        at += 8 + length + length % 2
    return None


def _canvas(data: bytes) -> tuple[int, int]:
    chunk = data[12:16]
    if chunk == b"VP8X" and len(data) >= 30:
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if chunk == b"VP8L" and data[20] == _VP8L_START:
        (sides,) = struct.unpack_from("<I", data, 21)
        return (sides & _SIDE) + 1, (sides >> 14 & _SIDE) + 1
    if chunk == b"VP8 " and data[23:26] == _VP8_START:
        width, height = struct.unpack_from("<HH", data, 26)
        return width & _SIDE, height & _SIDE
    raise UnreadableError("its header is broken (its first chunk is none of WebP's)")
