"""BMP: Windows' device-independent bitmaps, and OS/2's.

Pillow supports only some layouts of bit fields, so all of them are decoded here. An alpha channel that is 0 everywhere
is ignored, because its program never filled it. Pillow does not read the colour profile, so it is read here too.
"""

import struct
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.BmpImagePlugin import BmpImageFile

from imaging.errors import UnreadableError
from imaging.formats.bmp_runs import Codes
from imaging.formats.codec import Reading, load, open_with
from imaging.header import Header
from imaging.target import Target

_FILE_HEADER = 14
_CORE, _OS2 = 12, 64  # header sizes of OS/2, versions 1 and 2
_V5 = 124  # header size of Windows, version 5
_BIT_FIELDS, _ALPHA_BIT_FIELDS = 3, 6
_INFO = 40  # header size of Windows, version 3; those of later versions are longer
_MASK_BYTES: Mapping[int, int] = MappingProxyType({_BIT_FIELDS: 12, _ALPHA_BIT_FIELDS: 16})
_MOST_PALETTE_BITS = 8
_MASKS = 54  # offset of the masks: after a header of 40 bytes, or inside a longer one
_HAS_ALPHA_MASK = 56  # least size of a header with an alpha mask
_EMBEDDED = b"DEBM"  # color space in a header of version 5 with a profile
_CHUNK_PIXELS = 1 << 20
_PALETTE_ENTRY = 4
RUN_BITS: Mapping[int, int] = MappingProxyType({1: 8, 2: 4})
"""Bits a pixel of each of the run-length encodings."""


class Layout(NamedTuple):
    """The content of the header; ``offset`` is that of the pixels, which follow the palette where the file says 0."""

    header_size: int
    width: int
    height: int
    is_top_down: bool
    bits: int
    compression: int
    offset: int

    @property
    def has_bit_fields(self) -> bool:
        """Whether each channel has its own mask."""
        return self.compression in {_BIT_FIELDS, _ALPHA_BIT_FIELDS} and self.header_size != _OS2

    @property
    def has_runs(self) -> bool:
        """Whether its pixels are run-length encoded."""
        return RUN_BITS.get(self.compression) == self.bits


def read_header(data: bytes) -> Header:
    """Reads the picture's size.

    Raises:
        UnreadableError: the header is truncated.
    """
    layout = layout_of(data)
    pixel_bytes = 12 if layout.has_bit_fields else 9
    return Header(
        "BMP", layout.width, layout.height, codec_bytes=len(data) * layout.has_runs * 4, pixel_bytes=pixel_bytes
    )


def decode(data: bytes, header: Header, _target: Target) -> Image.Image:
    """Decodes the picture.

    Raises:
        UnreadableError: it is truncated or broken.
    """
    layout = layout_of(data)
    if layout.has_bit_fields:
        picture = _decode_bit_fields(data, layout)
    elif layout.has_runs:
        picture = _decode_runs(data, layout)
    else:
        picture = open_with(BmpImageFile, data, header)
        load(picture)
    if profile := profile_of(data, layout):
        picture.info["icc_profile"] = profile
    return picture


def layout_of(data: bytes) -> Layout:
    """Reads the header.

    Raises:
        UnreadableError: it is truncated, or the pixels begin inside it.
    """
    with Reading("its header is broken"):
        offset, header_size = struct.unpack_from("<II", data, 10)
        if header_size == _CORE:
            width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
            return Layout(header_size, width, height, is_top_down=False, bits=bits, compression=0, offset=offset)
        width, height, _, bits, compression = struct.unpack_from("<IiHHI", data, 18)
        if header_size < _INFO:
            compression = 0  # its header ends before that field
        elif not offset:
            (colors,) = struct.unpack_from("<I", data, 46)
            palette = colors or (1 << bits if bits <= _MOST_PALETTE_BITS else 0)
            masks = _MASK_BYTES.get(compression, 0) if header_size == _INFO else 0
            offset = _FILE_HEADER + header_size + masks + _PALETTE_ENTRY * palette
        if offset and offset < _FILE_HEADER + header_size:
            raise UnreadableError("its header is broken (its pixels begin inside the header)")
        return Layout(header_size, width, abs(height), height < 0, bits, compression, offset)


def profile_of(data: bytes, layout: Layout) -> bytes:
    """The colour profile of a header of version 5; empty where there is none, or the file ends inside the header."""
    if layout.header_size < _V5 or len(data) < _FILE_HEADER + _V5 or data[70:74] != _EMBEDDED:
        return b""
    offset, length = struct.unpack_from("<II", data, _FILE_HEADER + 112)
    return data[_FILE_HEADER + offset :][:length]


def _decode_runs(data: bytes, layout: Layout) -> Image.Image:
    """Decodes runs of palette indices."""
    start = _FILE_HEADER + layout.header_size
    colors = min(1 << layout.bits, max(0, layout.offset - start) // _PALETTE_ENTRY)
    entries = np.frombuffer(data[start:].ljust(_PALETTE_ENTRY * colors, b"\0"), np.uint8, _PALETTE_ENTRY * colors)
    palette = entries.reshape(colors, _PALETTE_ENTRY)[:, 2::-1]  # stored as blue, green, red
    indices = Codes(memoryview(data)[layout.offset :], layout.width, layout.height, layout.bits).pixels()
    picture = Image.fromarray(indices if layout.is_top_down else indices[::-1])
    picture.putpalette(palette.tobytes())
    return picture


def _decode_bit_fields(data: bytes, layout: Layout) -> Image.Image:
    """Extracts each channel from words of 16 or 32 bits, by its mask."""
    width, height, bits = layout.width, layout.height, layout.bits
    if bits not in {16, 32} or not width or not height:
        raise UnreadableError(f"its bit fields are in words of {bits} bits; 16 or 32 are possible")
    with Reading("its header is broken"):
        masks = list(struct.unpack_from("<III", data, _MASKS))
        if layout.header_size >= _HAS_ALPHA_MASK or layout.compression == _ALPHA_BIT_FIELDS:
            masks += struct.unpack_from("<I", data, _MASKS + 12)
    if max(masks) >> bits:
        raise UnreadableError(f"its bit masks are wider than its words of {bits} bits")
    if not any(masks):
        masks = [0xFF0000, 0xFF00, 0xFF, 0xFF000000]
    if not masks[-1] and len(masks) == 4:
        del masks[-1]
    row_bytes = (width * bits + 31) // 32 * 4
    if len(data) < layout.offset + row_bytes * height:
        raise UnreadableError("its pixels are truncated or broken")
    words = np.frombuffer(data, f"<u{bits // 8}", row_bytes * 8 // bits * height, layout.offset)
    words = words.reshape(height, -1)[:, :width]
    if not layout.is_top_down:
        words = words[::-1]
    bands = [Image.fromarray(_channel(words, mask)) for mask in masks]
    if len(bands) == 4 and bands[3].getextrema() == (0, 0):
        del bands[3]
    return Image.merge("RGBA" if len(bands) == 4 else "RGB", bands)


def _channel(words: NDArray[np.unsignedinteger], mask: int) -> NDArray[np.uint8]:
    """The bits under a mask, scaled to 8, for words [H, W]."""
    if not mask:
        return np.zeros(words.shape, np.uint8)
    shift = (mask & -mask).bit_length() - 1
    bits = (mask >> shift).bit_length()
    if mask >> shift != (1 << bits) - 1:
        raise UnreadableError(f"its bit mask {mask:#x} has gaps")
    shift, bits = shift + max(0, bits - 8), min(bits, 8)
    most = (1 << bits) - 1
    scale = np.round(np.arange(most + 1) * (255 / most)).astype(np.uint8)
    channel = np.empty(words.shape, np.uint8)
    rows = max(1, _CHUNK_PIXELS // words.shape[1])
    for top in range(0, len(words), rows):  # a few rows at a time, so that no second array of all words is made
        channel[top : top + rows] = scale[words[top : top + rows] >> shift & most]
    return channel
