"""GIF (CompuServe, GIF89a): the first frame, as a browser shows it.

Pillow fills the part of the canvas outside the first frame with the colour of index 0. Here it is transparent.
"""

import struct
from typing import NamedTuple

from PIL import Image
from PIL.GifImagePlugin import GifImageFile

from imaging import limits
from imaging.errors import UnreadableError
from imaging.formats.codec import Reading, load, open_with
from imaging.header import Header
from imaging.target import Target

_SCREEN = struct.Struct("<HHB")  # width, height, flags; from byte 6
_FRAME = struct.Struct("<HHHHB")  # left, top, width, height, flags
_HAS_PALETTE, _PALETTE_SIZE = 0x80, 0x07
_EXTENSION, _IMAGE, _TRAILER, _CONTROL = 0x21, 0x2C, 0x3B, 0xF9


class _Layout(NamedTuple):
    width: int
    height: int
    frame: tuple[int, int, int, int]  # left, top, right, bottom


def read_header(data: bytes) -> Header:
    """Reads the canvas and the first frame's position; a frame that extends beyond the canvas enlarges it.

    Raises:
        UnreadableError: there is no frame.
    """
    layout = _layout(data)
    return Header("GIF", layout.width, layout.height, pixel_bytes=14)


def decode(data: bytes, header: Header, _target: Target) -> Image.Image:
    """Decodes the first frame; the rest of the canvas is transparent.

    Raises:
        UnreadableError: it is truncated or broken.
    """
    picture = open_with(GifImageFile, data, header)
    load(picture)
    frame = _layout(data).frame
    if frame == (0, 0, header.width, header.height):
        return picture
    canvas = Image.new("RGBA", picture.size, (255, 255, 255, 0))
    canvas.paste(picture.crop(frame).convert("RGBA"), frame)
    return canvas


def _layout(data: bytes) -> _Layout:
    with Reading("its header is broken"):
        width, height, flags = _SCREEN.unpack_from(data, 6)
        _, at = first_frame(data, 13 + palette_bytes(flags))
        left, top, frame_width, frame_height, _ = _FRAME.unpack_from(data, at + 1)
    right, bottom = left + frame_width, top + frame_height
    return _Layout(max(width, right), max(height, bottom), (left, top, right, bottom))


def palette_bytes(flags: int) -> int:
    """The length of the palette that the flags of the screen or of a frame declare."""
    return 3 << (flags & _PALETTE_SIZE) + 1 if flags & _HAS_PALETTE else 0


def first_frame(data: bytes, at: int) -> tuple[bytes, int]:
    """The last control extension before the first frame, and the frame's offset.

    Args:
        data: the whole file.
        at: where its first block is.

    Raises:
        UnreadableError: there is no frame, or more blocks before it than any encoder writes.
    """
    control = b""
    most = limits.GIF_BLOCKS + (len(data) >> 10)
    try:
        while most > 0:
            most -= 1
            kind = data[at]
            if kind == _IMAGE:
                return control, at
            if kind == _TRAILER:
                raise UnreadableError("it holds no frame")
            start, at = at, at + 1
            if kind == _EXTENSION:
                is_control, at = data[at] == _CONTROL, at + 1
                while (length := data[at]) and most > 0:
                    at += length + 1
                    most -= 1
                at += 1
                control = data[start:at] if is_control else control
    except IndexError:
        raise UnreadableError("its header is broken (the file ends before its first frame)") from None
    raise UnreadableError("it holds no frame, or too many extensions before the first one")
