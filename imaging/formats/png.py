"""PNG (W3C, Portable Network Graphics, third edition).

Pillow converts most pictures to 8 bits, but compares them with the transparent colour in the file's own bit depth. So
the colour is compared here, in the bit depth of the file.
"""

import struct

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.ImageFile import ImageFile
from PIL.PngImagePlugin import PngImageFile

from imaging.errors import UnreadableError
from imaging.formats.codec import load, open_with
from imaging.header import Header
from imaging.target import Target

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_IHDR = struct.Struct(">4sIIBB")  # type, width, height, bits a sample, colour type; from byte 12
_CHUNK = struct.Struct(">I4s")  # length, type
_CHUNK_OVERHEAD = 12
_SEARCHED_BYTES = 1 << 16
_PART_PIXELS = 1 << 18
_GREY, _COLOUR = 0, 2
_MARKS = 90, 165  # two different levels, so that a last pixel that has one of them does not have the other


def read_header(data: bytes) -> Header:
    """Reads IHDR.

    Raises:
        UnreadableError: it is not there.
    """
    kind, width, height, bits, colour = _ihdr(data)
    if kind != b"IHDR" or not data.startswith(SIGNATURE):
        raise UnreadableError("its header is broken (a PNG begins with its signature and IHDR)")
    # 8-bit pixels and a copy, with alpha, rotated or premultiplied; the lower bytes too of a deep transparent colour.
    is_deep = bits == 16 and colour == _COLOUR and data.find(b"tRNS", 0, _SEARCHED_BYTES) > 0
    return Header("PNG", width, height, pixel_bytes=13 if is_deep else 9)


def decode(data: bytes, header: Header, _target: Target) -> Image.Image:
    """Decodes the picture; an animation's default image.

    Raises:
        UnreadableError: it is truncated or broken.
    """
    picture = open_with(PngImageFile, data, header)
    has_transparency = "transparency" in picture.info
    first, second = _MARKS if picture.mode != "1" else (0, 255)
    if not _replaces(picture, first) and not _replaces(open_with(PngImageFile, data, header), second):
        raise UnreadableError("its pixels are truncated or broken (its last rows are missing)")
    _, _, _, bits, colour = _ihdr(data)
    if not has_transparency or colour not in {_GREY, _COLOUR}:
        return picture
    picture.info.pop("transparency", None)
    transparent = _transparent_color(data, 1 if colour == _GREY else 3)
    lower = _lower_bytes(data, header) if colour == _COLOUR and bits == 16 else None
    return _in_parts(picture, lower, transparent, bits)


def _replaces(picture: ImageFile, mark: int) -> bool:
    """Decodes the pixels, in place; returns whether the last one of the stream replaces a mark.

    Pillow reports no error where a stream ends properly, but after too few rows.
    """
    width, height = picture.size
    column, row = width - 1, height - 1
    if picture.info.get("interlace"):  # the last pass has each second row, or in a single row each second column
        column, row = (column, height // 2 * 2 - 1) if height > 1 else (max(0, width // 2 * 2 - 1), 0)
    picture.im = Image.new(picture.mode, picture.size).im
    bands = picture.im.bands
    marked = mark if bands == 1 else (mark,) * bands
    picture.im.putpixel((column, row), marked)
    load(picture)
    return bool(picture.im.getpixel((column, row)) != marked)


def _ihdr(data: bytes) -> tuple[bytes, int, int, int, int]:
    try:
        return _IHDR.unpack_from(data, 12)
    except struct.error:
        raise UnreadableError("its header is broken (it ends within IHDR)") from None


def _transparent_color(data: bytes, channels: int) -> tuple[int, ...]:
    """The samples in tRNS, which exists: Pillow has read it before the pixels."""
    at = len(SIGNATURE)
    while True:
        length, kind = _CHUNK.unpack_from(data, at)
        if kind == b"tRNS":
            return struct.unpack_from(f">{channels}H", data, at + 8)
        at += length + _CHUNK_OVERHEAD


def _lower_bytes(data: bytes, header: Header) -> Image.Image:
    """The lower byte of each sample of 16 bits, of which Pillow keeps the upper one."""
    lower = open_with(PngImageFile, data, header)
    lower.tile = [tile._replace(args="RGB;16L") for tile in lower.tile]  # with the other byte order
    load(lower)
    return lower


def _in_parts(picture: Image.Image, lower: Image.Image | None, transparent: tuple[int, ...], bits: int) -> Image.Image:
    """The picture with alpha, made a few rows at a time: splitting and merging take memory and block other threads."""
    whole = Image.new("LA" if len(transparent) == 1 else "RGBA", picture.size)
    rows = max(1, _PART_PIXELS // picture.width)
    for top in range(0, picture.height, rows):
        box = 0, top, picture.width, min(top + rows, picture.height)
        part = picture.crop(box)
        if len(transparent) == 1:
            opaque = _differs_grey(part, transparent[0], bits)
        elif lower is None:
            opaque = _differs(part, [value & 0xFF for value in transparent])
        else:
            opaque = _differs(part, [value >> 8 for value in transparent])
            opaque |= _differs(lower.crop(box), [value & 0xFF for value in transparent])
        whole.paste(_with_alpha(part, opaque), box)
    whole.info = picture.info
    return whole


def _differs_grey(picture: Image.Image, value: int, bits: int) -> NDArray[np.bool_]:
    """A mask of the pixels that do not have the transparent grey."""
    pixels = np.asarray(picture if bits == 16 else picture.convert("L"))
    if bits < 16:
        most = (1 << bits) - 1  # only these bits of the two bytes of the value are used
        value = (value & most) * 255 // most
    differs: NDArray[np.bool_] = pixels != value
    return differs


def _differs(picture: Image.Image, color: list[int]) -> NDArray[np.bool_]:
    differs = np.zeros((picture.height, picture.width), np.bool_)
    for band, value in zip(picture.split(), color, strict=True):
        differs |= np.asarray(band) != value
    return differs


def _with_alpha(picture: Image.Image, opaque: NDArray[np.bool_]) -> Image.Image:
    alpha = Image.fromarray(opaque.view(np.uint8) * np.uint8(255))
    if picture.mode == "I;16":
        grey = Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
        return Image.merge("LA", (grey, alpha))
    bands = picture.convert("L") if picture.mode == "1" else picture
    return Image.merge(f"{bands.mode}A", (*bands.split(), alpha))
