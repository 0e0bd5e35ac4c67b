"""Uncompressed YCbCr in TIFF (TIFF 6.0, chapter 21), whose colours have fewer samples than its brightness.

Pillow decodes uncompressed pixels itself, as if every pixel had three samples. It leaves all others to libtiff, which
knows the units of subsampled pixels. So the strips or tiles are put into deflate streams, without compressing them::

    unit of 2 x 2 pixels: Y Y Y Y Cb Cr ──> rows of units ──> strip ──> deflate stream of the same bytes
"""

import zlib
from itertools import accumulate

from imaging.errors import UnreadableError
from imaging.formats import tiff_directory as tags
from imaging.formats.tiff_directory import Directory
from imaging.formats.tiff_layout import DEFLATE, Layout

_ROWS_A_STRIP, _FACTORS = 278, 530
_POSSIBLE = frozenset((1, 2, 4))
_CHANNELS, _COLOURS, _BITS = 3, 2, 8
_HEAD_BYTES = 8  # of the file's header, which the directory writes


def deflated(data: bytes, directory: Directory, layout: Layout) -> tuple[bytes, Directory]:
    """Makes a file that libtiff can decode.

    Args:
        data: the whole file.
        directory: of the picture.
        layout: of its samples, which are uncompressed YCbCr.

    Returns:
        The strips or tiles as deflate streams, with room for a header before them, and the directory that fits them.

    Raises:
        UnreadableError: they are truncated or overlap, or have another number of bits or samples.
    """
    across, down = (*directory.values(_FACTORS, (2, 2)), 1)[:2]
    is_read = layout.bits == _BITS and layout.samples == _CHANNELS and not layout.is_reversed
    if not is_read or not {across, down} <= _POSSIBLE or (layout.is_planar and across * down > 1):
        raise layout.is_not_read()
    if layout.is_tiled:
        offsets, lengths = tags.TILE_OFFSETS, tags.TILE_BYTES
        width, rows = directory.value(tags.TILE_WIDTH, 0), directory.value(tags.TILE_LENGTH, 0)
    else:
        offsets, lengths = tags.STRIP_OFFSETS, tags.STRIP_BYTES
        width, rows = layout.width, min(layout.height, max(1, directory.value(_ROWS_A_STRIP, layout.height)))
    unit_bytes = 1 if layout.is_planar else across * down + _COLOURS
    parts, top, room = [], 0, len(data)
    for place in directory.values(offsets):
        count = rows if layout.is_tiled else min(rows, layout.height - top)
        length = -(-width // across) * -(-count // down) * unit_bytes
        if place + length > len(data):
            raise UnreadableError("its pixels are truncated or broken")
        room -= length
        if room < 0:
            raise UnreadableError("its strips or tiles overlap")
        parts.append(zlib.compress(data[place : place + length], 0))
        top = (top + rows) % (-(-layout.height // rows) * rows)  # begins again with each plane
    starts = tuple(accumulate(map(len, parts), initial=_HEAD_BYTES))[:-1]
    changes = {offsets: starts, lengths: tuple(map(len, parts)), tags.COMPRESSION: (DEFLATE,)}
    return b"".join((bytes(_HEAD_BYTES), *parts)), directory.changed(changes)
