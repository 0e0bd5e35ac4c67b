"""GIF (CompuServe, GIF89a): the first frame, as a browser shows it.

Pillow fills the part of the canvas outside the first frame with the colour of index 0. Here it is transparent.
"""

import struct
from typing import NamedTuple

from PIL import Image
from PIL.GifImagePlugin import GifImageFile

from imaging.errors import UnreadableError
from imaging.formats.codec import Reading, load, open_with
from imaging.header import Header
from imaging.target import Target

_SCREEN = struct.Struct("<HHB")  # width, height, flags; from byte 6
_FRAME = struct.Struct("<HHHHB")  # left, top, width, height, flags
_PALETTE_FLAG = 0x80
_MOST_BLOCKS = 20_000  # of comments and extensions before the first frame; full ones together have 5 MB


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
        at = 13 + (3 << (flags & 7) + 1 if flags & _PALETTE_FLAG else 0)
        is_extension = False
        for _ in range(_MOST_BLOCKS):
            byte = data[at]
            if is_extension:  # its blocks each begin with their length, and the last one is empty
                is_extension = byte != 0
                at += byte + 1
            elif byte == ord("!"):
                is_extension = True
                at += 2
            elif byte == ord(","):
                left, top, frame_width, frame_height, _ = _FRAME.unpack_from(data, at + 1)
                right, bottom = left + frame_width, top + frame_height
                return _Layout(max(width, right), max(height, bottom), (left, top, right, bottom))
            elif byte == ord(";"):
                break
            else:
                at += 1
    raise UnreadableError("it holds no frame, or too many extensions before the first one")
