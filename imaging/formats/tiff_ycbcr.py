"""YCbCr in TIFF (TIFF 6.0, chapter 21), whose colours have fewer samples than its brightness.

Pillow decodes uncompressed pixels itself, as if every pixel had three samples. It leaves all others to libtiff, which
knows the units of subsampled pixels. So the strips or tiles are put into deflate streams, without compressing them::

    unit of 2 x 2 pixels: Y Y Y Y Cb Cr ──> rows of units ──> strip ──> deflate stream of the same bytes

Of YCbCr only, Pillow lets libtiff make missing pixels up, so compressed strips or tiles are inflated once before.
"""

import zlib
from itertools import accumulate

from PIL.TiffImagePlugin import TiffImageFile

from imaging.errors import UnreadableError
from imaging.formats import tiff_directory as tags
from imaging.formats.codec import load, open_with
from imaging.formats.tiff_directory import Directory
from imaging.formats.tiff_layout import BLACK_IS_ZERO, DEFLATE, Layout
from imaging.header import Header

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
    across, down = _factors(directory, layout)
    if layout.is_reversed or (layout.is_planar and across * down > 1):
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


def check_complete(data: bytes, directory: Directory, layout: Layout) -> None:
    """Inflates compressed strips or tiles in one plane as rows of bytes, to see whether all of them are there.

    Args:
        data: the whole file.
        directory: of the picture.
        layout: of its samples.

    Raises:
        UnreadableError: they are truncated or broken, or have another number of bits or samples.
    """
    across, down = _factors(directory, layout)
    unit_bytes = across * down + _COLOURS
    row_bytes, rows = -(-layout.width // across) * unit_bytes, -(-layout.height // down)
    changes: dict[int, tuple[int, ...]] = {tags.WIDTH: (row_bytes,), tags.HEIGHT: (rows,), tags.BITS: (_BITS,)}
    changes |= {tags.SAMPLES: (1,), tags.PHOTOMETRIC: (BLACK_IS_ZERO,), tags.PREDICTOR: (), _FACTORS: ()}
    if layout.is_tiled:
        changes[tags.TILE_WIDTH] = (-(-directory.value(tags.TILE_WIDTH, 0) // across) * unit_bytes,)
        changes[tags.TILE_LENGTH] = (-(-directory.value(tags.TILE_LENGTH, 0) // down),)
    else:
        changes[_ROWS_A_STRIP] = (-(-directory.value(_ROWS_A_STRIP, layout.height) // down),)
    load(open_with(TiffImageFile, directory.changed(changes).write(data), Header("TIFF", row_bytes, rows)))


def _factors(directory: Directory, layout: Layout) -> tuple[int, int]:
    """How many pixels across and down have one sample of each colour.

    Raises:
        UnreadableError: they do not exist, or there is another number of bits or samples.
    """
    across, down = (*directory.values(_FACTORS, (2, 2)), 1)[:2]
    if layout.bits != _BITS or layout.samples != _CHANNELS or not {across, down} <= _POSSIBLE:
        raise layout.is_not_read()
    return across, down
