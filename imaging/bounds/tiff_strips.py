"""The cost of decoding a TIFF, from the directory of its first picture (TIFF 6.0, chapters 2, 8 and 15).

::

    width, height, rows a strip | tile width and length, planes ──> how many strips or tiles there are
    their offsets and lengths   ───────────────────────────────────> the same number, and no more bytes than the file

Pillow makes objects for every offset, and a decoder for every uncompressed strip, so uncompressed strips are joined. A
compressed strip would be decoded as often as an offset points to it, so overlapping strips are refused.
"""

import math
from typing import NamedTuple, Self

from imaging import limits
from imaging.bounds.cost import Cost
from imaging.errors import UnreadableError
from imaging.formats import tiff_directory as tags
from imaging.formats.tiff_directory import Directory, Field

_ROWS_A_STRIP = 278
_NONE, _LZW, _PACK_BITS, _ZSTD, _LZMA = 1, 5, 32773, 50000, 34925
_FAX, _JPEG = {2, 3, 4}, {6, 7}
_YCBCR, _LAB = 6, {8, 9, 10}
_LAB_S = 8e-3  # Pillow makes a transform for each picture
_BYTE_S = {_NONE: 1.5e-9, _LZW: 5e-9, _PACK_BITS: 2e-9, _ZSTD: 3e-9, _LZMA: 30e-9}  # for a byte of the samples
_OTHER_BYTE_S, _FAX_PIXEL_S = 4.5e-9, 12e-9
_BOUNDED = {_NONE, _LZW, _PACK_BITS}  # the others use deflate and the like, or scans and tables
_OPEN_S, _PIXEL_S = 250e-6, 4e-9
_PART_S = {True: 6e-6, False: 3e-6}  # of a strip or tile: uncompressed, compressed
_JOINED = 16  # from this number on, uncompressed strips are joined
_PLACES = {tags.STRIP_OFFSETS, tags.STRIP_BYTES, tags.TILE_OFFSETS, tags.TILE_BYTES}
_MOST_JOINED_BYTES = (1 << 32) - 1 - 8  # what a classic TIFF can hold behind its header
_HEAD = bytes(8)  # placeholder for the file's header, which the directory writes


class _Layout(NamedTuple):
    """How the pixels are cut into parts: strips or tiles, over all planes."""

    offsets: int
    lengths: int
    rows: int
    height: int
    row_bytes: int
    planes: int
    parts: int
    raw_bytes: int

    @classmethod
    def of(cls, directory: Directory) -> Self:
        width, height = directory.value(tags.WIDTH, 0), directory.value(tags.HEIGHT, 0)
        if not width or not height:
            raise UnreadableError("its header is broken (it declares no size)")
        samples = max(1, directory.value(tags.SAMPLES, 1))
        planes = samples if directory.value(tags.PLANAR, 1) == 2 else 1
        row_bytes = math.ceil(width * (samples // planes) * min(64, directory.value(tags.BITS, 1)) / 8)
        rows = min(height, max(1, directory.value(_ROWS_A_STRIP, height)))
        parts, offsets, lengths = math.ceil(height / rows) * planes, tags.STRIP_OFFSETS, tags.STRIP_BYTES
        most = limits.TIFF_STRIPS
        if tags.TILE_OFFSETS in directory.fields:
            across, down = directory.value(tags.TILE_WIDTH, 0), directory.value(tags.TILE_LENGTH, 0)
            if not across or not down:
                raise UnreadableError("its header is broken (tiles without a size)")
            parts, offsets, lengths = (
                math.ceil(width / across) * math.ceil(height / down),
                tags.TILE_OFFSETS,
                tags.TILE_BYTES,
            )
            parts, rows = parts * planes, 0
            is_raw = directory.value(tags.COMPRESSION, _NONE) == _NONE
            tile_pixels = limits.TIFF_RAW_TILE_PIXELS if is_raw else limits.TIFF_TILE_PIXELS
            most = min(most, width * height * planes // tile_pixels + limits.TIFF_SPARE_TILES)
        if parts > most:
            raise UnreadableError(f"it has {parts} strips or tiles; at most {most} are read for its size")
        return cls(offsets, lengths, rows, height, row_bytes, planes, parts, row_bytes * height * planes)


def measure_tiff(data: bytes) -> Cost:
    """Estimates the cost of decoding a TIFF's first picture.

    Args:
        data: the whole file.

    Returns:
        The cost, with the file and a directory of no more strips than its picture has.

    Raises:
        UnreadableError: the directory is broken, or its strips do not match its picture, overlap or are too long.
    """
    directory = Directory.of(data)
    layout = _Layout.of(directory)
    compression = directory.value(tags.COMPRESSION, _NONE)
    is_raw = compression == _NONE
    needed = _with_its_parts_only(directory, layout)
    file = data if needed is directory else needed.write(data)
    is_subsampled = directory.value(tags.PHOTOMETRIC, 0) == _YCBCR
    is_cut = layout.rows and layout.parts >= max(_JOINED, 2 * layout.planes)
    if is_raw and is_cut and not is_subsampled and layout.raw_bytes <= _MOST_JOINED_BYTES:
        file = _joined(data, needed, layout)
    elif not is_raw:
        sent = sum(needed.values(layout.lengths))
        expansion = limits.TIFF_FAX_EXPANSION if compression in _FAX else limits.TIFF_EXPANSION
        if sent > len(data) or sent > expansion * layout.raw_bytes + limits.TIFF_SPARE_BYTES * layout.parts:
            raise UnreadableError("its strips or tiles overlap, or have more bytes than their pixels")
    byte_s = _BYTE_S.get(compression, _OTHER_BYTE_S)
    if is_subsampled and compression not in _JPEG:
        byte_s += _OTHER_BYTE_S  # `tiff_ycbcr` inflates or copies them before libtiff does
    work_s = layout.raw_bytes * byte_s + layout.parts * _PART_S[is_raw]
    if compression in _FAX:
        work_s += layout.raw_bytes * 8 * _FAX_PIXEL_S
    if directory.value(tags.PHOTOMETRIC, 0) in _LAB:
        work_s += _LAB_S
    profile = directory.fields.get(tags.PROFILE)
    return Cost(
        file,
        _OPEN_S + work_s,
        _PIXEL_S,
        is_bounded=compression in _BOUNDED,
        profile=b"" if profile is None else profile.raw,
    )


def _with_its_parts_only(directory: Directory, layout: _Layout) -> Directory:
    """The directory with as many offsets and lengths as there are parts; of tiles only, where it has strips too."""
    unused = _PLACES - {layout.offsets, layout.lengths}
    fields = {tag: field for tag, field in directory.fields.items() if tag not in unused}
    for tag in (layout.offsets, layout.lengths):
        if (field := fields.get(tag)) is None:
            continue
        if not layout.parts <= field.length <= 2 * layout.parts + limits.TIFF_SPARE_TILES:
            raise UnreadableError(f"its header is broken ({field.length} strips or tiles, where it has {layout.parts})")
        size = len(field.raw) // field.length
        fields[tag] = Field(field.type, layout.parts, field.raw[: layout.parts * size])
    return directory if fields == directory.fields else Directory(directory.order, fields)


def _joined(data: bytes, directory: Directory, layout: _Layout) -> bytes:
    """The file with its uncompressed strips joined to one for each plane.

    Raises:
        UnreadableError: they overlap.
    """
    strips, room = [], len(data)
    a_plane = layout.parts // layout.planes
    for index, offset in enumerate(directory.values(layout.offsets)):
        rows = min(layout.rows, layout.height - index % a_plane * layout.rows)
        strips.append(data[offset : offset + rows * layout.row_bytes])
        room -= len(strips[-1])
        if room < 0:
            raise UnreadableError("its strips overlap")
    length = layout.row_bytes * layout.height
    places = tuple(len(_HEAD) + plane * length for plane in range(layout.planes))
    changes = {layout.offsets: places, layout.lengths: (length,) * layout.planes, _ROWS_A_STRIP: (layout.height,)}
    return directory.changed(changes).write(b"".join((_HEAD, *strips)))
