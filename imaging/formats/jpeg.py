"""JPEG (ITU-T T.81), read at a reduced size where the picture is many times larger than its target.

Two kinds of valid files that Pillow refuses are decoded too: arithmetic coding of more than the 64 KB that Pillow feeds
at a time, and a complete file without its last marker.
"""

import contextlib
import os
import re
import struct
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from PIL import Image
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile

from imaging.color_profile import transform_of
from imaging.errors import UnreadableError
from imaging.formats.codec import Reading, load, open_with
from imaging.formats.fast_jpeg import decode_plain
from imaging.header import Header
from imaging.target import Target

_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SEQUENTIAL = {0xC0, 0xC1}  # baseline and extended, with Huffman's code
_ARITHMETIC = range(0xC9, 0xD0)
_START_OF_SCAN = 0xDA
# Segments that need no further processing: tables, restarts, and the colour space of JFIF and Adobe.
_PLAIN = {0xC4, 0xCC, _START_OF_SCAN, 0xDB, 0xDD, 0xE0, 0xEE}
_PLAIN_MODES: Mapping[int, str] = MappingProxyType({1: "L", 3: "RGB"})
_FILL = 0xFF
_NO_SEGMENT = {0x00, 0x01, *range(0xD0, 0xDA), 0xFF}  # what follows 0xFF without beginning a segment
_SEARCHED_BYTES = 1 << 20  # in one call, during which no other thread runs
_MARKER = re.compile(rb"\xff[\x02-\xcf\xda-\xfe]")  # of a segment
_SIZE = struct.Struct(">HH")
_END, _SCAN, _RESTART_INTERVAL = b"\xff\xd9", b"\xff\xda", b"\xff\xdd"
_FILLINGS = b"\xaa" * 64, b"\xd5\x2b" * 32  # with none of 4,013 truncated files did the two give the same picture
_COMPARED_PIXELS = 1 << 18
_READ_AHEAD_BYTES = 16  # the codec reads up to 8
_COEFFICIENT_BYTES = 2
_MOST_SCANS, _MOST_SEGMENTS = 1000, 10_000
_MOST_PIXEL_BYTES, _SMALL_BYTES = 1.5, 16_384  # of a file without end marker; quality 95 has 0.7 bytes per pixel
_MOST_PROGRESSIVE_PIXELS = 4_000_000  # of such a file with several scans, which is decoded at full size


def read_header(data: bytes) -> Header:
    """Reads the frame header and the first scan header.

    Raises:
        UnreadableError: one of them is missing or broken.
    """
    frame, is_plain = None, True
    with Reading("its header is broken"):
        for marker, at in _segments(data):
            if marker in _FRAMES:
                frame = marker, at
            elif marker not in _PLAIN:
                is_plain = False
            elif marker == _START_OF_SCAN and frame is not None:
                kind, place = frame
                height, width = _SIZE.unpack_from(data, place + 3)
                components = data[place + 7]
                is_single = kind in _SEQUENTIAL and data[at + 2] == components
                held = 0 if is_single else _coefficients(data[place + 8 : place + 8 + 3 * components], width * height)
                # A colour pixel takes 4 bytes in Pillow, and 4 in a rotated or converted copy.
                return Header(
                    "JPEG",
                    width,
                    height,
                    is_single,
                    held * _COEFFICIENT_BYTES,
                    9 if components > 1 else 6,
                    _PLAIN_MODES.get(components, "") if is_plain and is_single else "",
                )
    raise UnreadableError("its header is broken (no frame before the first scan)")


def decode(data: bytes, header: Header, target: Target) -> Image.Image:
    """Decodes the picture, at 1/2, 1/4 or 1/8 of its size where that is still large enough for the target.

    Raises:
        UnreadableError: it is truncated or broken.
    """
    if data.endswith(_END) or data.rfind(_END) > next(
        (at for marker, at in _segments(data) if marker == _START_OF_SCAN), 0
    ):
        if (plain := decode_plain(data, header, target)) is not None:
            return plain
        picture = _open(data, header, target)
        load(picture)
        return picture
    is_ordinary = len(data) <= header.pixels * _MOST_PIXEL_BYTES + _SMALL_BYTES
    completed = _decode_without_end(data, header, target) if is_ordinary and _lacks_its_end_only(data) else None
    if completed is None:
        raise UnreadableError("its pixels are truncated or broken (image file is truncated)")
    return completed


def _decode_without_end(data: bytes, header: Header, target: Target) -> Image.Image | None:
    """Decodes a file without its end marker; returns None where more is missing, or it would take too long.

    The codec invents missing pixels instead of raising an error. So the file is decoded twice, with different bytes
    added at its end: if pixels are missing, the codec reads these bytes, and the two pictures differ. This takes twice
    the time, so it is done for ordinary files only.
    """
    whole = data.rstrip(b"\xff")
    first, second = _FILLINGS
    pictures: list[Image.Image | None] = []
    if header.is_reducible:
        fillings = first[:_READ_AHEAD_BYTES], second[:_READ_AHEAD_BYTES]
        pictures += (_decode_rows(whole + filling, header, target) for filling in fillings)
    elif header.pixels <= _MOST_PROGRESSIVE_PIXELS:
        # A codec that waits for a restart marker skips all bytes before it, so one of the fillings begins with it.
        fillings = first, _next_restart(whole) + second
        pictures += (_decode_whole(whole + filling + _END, header, target) for filling in fillings)
    if not pictures or pictures[0] is None or pictures[1] is None:
        return None
    return pictures[0] if _are_alike(pictures[0], pictures[1]) else None


def _are_alike(first: Image.Image, second: Image.Image) -> bool:
    """Whether two pictures of one size are equal; compared in bands, since a comparison blocks other threads."""
    lines = max(1, _COMPARED_PIXELS // first.width)
    bands = ((0, top, first.width, min(top + lines, first.height)) for top in range(0, first.height, lines))
    return all(first.crop(band) == second.crop(band) for band in bands)


def _decode_rows(data: bytes, header: Header, target: Target) -> Image.Image | None:
    """Decodes a file of one scan that has no end marker; None where the data does not reach the last row.

    The codec writes a row of blocks only when it has the whole row, so the last row is first filled with random pixels.
    """
    codec = _open(data, header, target)
    picture = Image.new(codec.mode, codec.size)
    last = 0, picture.height - 1, picture.width, picture.height
    row = Image.frombytes(codec.mode, (picture.width, 1), os.urandom(picture.width * len(codec.getbands())))
    picture.paste(row, last)
    codec.im = picture.im
    with contextlib.suppress(UnreadableError):  # because the end marker is missing
        load(codec)
    picture.info = codec.info
    return None if picture.crop(last) == row else picture


def _decode_whole(data: bytes, header: Header, target: Target) -> Image.Image:
    """Decodes a file at its full size, which uses every coefficient."""
    picture = _open(data, header._replace(kind=""), target)
    load(picture)
    return picture


def _next_restart(data: bytes) -> bytes:
    """The restart marker that would come next; empty where the file has no restart intervals (T.81, B.2.4.4)."""
    if _RESTART_INTERVAL not in data:
        return b""
    scan = data.rfind(_SCAN)
    places = [data.rfind(bytes((_FILL, marker)), scan) for marker in range(0xD0, 0xD8)]
    last = max(range(8), key=places.__getitem__) if max(places) >= 0 else 7
    return bytes((_FILL, 0xD0 + (last + 1) % 8))


def _open(data: bytes, header: Header, target: Target) -> ImageFile:
    picture = open_with(JpegImageFile, data, header)
    picture.decodermaxblock = max(len(data), 1)  # the whole file, since arithmetic decoding cannot wait for more data
    reduction = header.reduction(target)
    if reduction > 1:
        keeps_colors = target.icc and transform_of(picture) is not None
        mode = picture.mode if keeps_colors else target.color_mode
        picture.draft(mode, (header.width // reduction, header.height // reduction))
    return picture


def _segments(data: bytes) -> Iterator[tuple[int, int]]:
    """(marker, the offset of its segment) of the whole file; bytes between segments are skipped."""
    at, end = 2, len(data)
    while at + 3 < end:
        marker = data[at + 1]
        if data[at] != _FILL or marker in _NO_SEGMENT:
            match = _MARKER.search(data, at, at + _SEARCHED_BYTES + 1)
            if match is None:
                at += _SEARCHED_BYTES
                continue
            at = match.start()
            marker = data[at + 1]
        at += 2
        yield marker, at
        at += data[at] << 8 | data[at + 1]


def _coefficients(components: bytes, pixels: int) -> int:
    """How many coefficients a codec keeps in memory if it needs several scans to make pixels."""
    factors = [(byte >> 4) * (byte & 15) for byte in components[1::3]]
    most = max(factors, default=1) or 1
    return pixels * sum(factors) // most


def _lacks_its_end_only(data: bytes) -> bool:
    """Whether a file without an end marker has all of its scans, according to their headers."""
    if data.rstrip(b"\0").endswith(_END):
        return False
    bits_left: dict[tuple[int, int], int] = {}
    frame, components, scans = 0, b"", 0
    for index, (marker, at) in enumerate(_segments(data)):
        if index > _MOST_SEGMENTS:
            return False
        if marker in _FRAMES:
            frame, components = marker, data[at + 8 : at + 8 + 3 * data[at + 7] : 3]
        elif marker == _START_OF_SCAN:
            count = data[at + 2] if at + 2 < len(data) else 0
            scan = data[at + 3 : at + 6 + 2 * count]
            scans += 1
            if len(scan) < 2 * count + 3 or scans > _MOST_SCANS:
                return False
            first, last, low = scan[2 * count], scan[2 * count + 1], scan[2 * count + 2] & 15
            for component in scan[: 2 * count : 2]:
                bits_left |= {(component, index): low for index in range(first, min(last, 63) + 1)}
    if not frame or frame in _ARITHMETIC:  # an arithmetic code may leave out final zeros, so its end cannot be checked
        return False
    return all(bits_left.get((component, index)) == 0 for component in components for index in range(64))
