"""JPEG (ITU-T T.81), read at a reduced size where the picture is many times larger than its target.

Two kinds that Pillow refuses are whole: arithmetic coding over more than the 64 KB that Pillow feeds at a time, and a
file that lacks nothing but its last marker.
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
# Segments that leave the pixels what they are: tables, restarts, what JFIF and Adobe say of the colour space.
_PLAIN = {0xC4, 0xCC, _START_OF_SCAN, 0xDB, 0xDD, 0xE0, 0xEE}
_PLAIN_MODES: Mapping[int, str] = MappingProxyType({1: "L", 3: "RGB"})
_FILL, _NO_MARKERS = 0xFF, {0x00, 0xFF}
_BARE = {0x01, *range(0xD0, 0xDA)}  # markers without a segment
_SEARCHED_BYTES = 1 << 20  # at once, while no other thread runs
_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")  # neither a stuffed byte nor a restart
_SIZE = struct.Struct(">HH")
_END, _SCAN, _RESTART_INTERVAL = b"\xff\xd9", b"\xff\xda", b"\xff\xdd"
_FILLINGS = b"\xaa" * 64, b"\xd5\x2b" * 32  # of 4,013 files cut short, both decoded alike in none
_COMPARED_PIXELS = 1 << 18
_READ_AHEAD_BYTES = 16  # the codec reads up to 8
_COEFFICIENT_BYTES = 2
_MOST_SCANS = 1000
_MOST_PIXEL_BYTES, _SMALL_BYTES = 1.5, 16_384  # of a file without its end marker; quality 95 makes 0.7 bytes a pixel
_MOST_PROGRESSIVE_PIXELS = 4_000_000  # of such a file of several scans, which is decoded at full size


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
                # Colour takes 4 bytes in Pillow, and so does a copy, turned or converted.
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
    """Decodes a file that lacks its end marker, or returns None where it lacks more, or would take too long.

    The codec makes up what is missing. So different bytes are filled in at the end: they are looked at where something
    is missing, and make different pictures. The file is decoded twice, so it has to be an ordinary one.
    """
    whole = data.rstrip(b"\xff")
    first, second = _FILLINGS
    pictures: list[Image.Image | None] = []
    if header.is_reducible:
        fillings = first[:_READ_AHEAD_BYTES], second[:_READ_AHEAD_BYTES]
        pictures += (_decode_rows(whole + filling, header, target) for filling in fillings)
    elif header.pixels <= _MOST_PROGRESSIVE_PIXELS:
        # After a restart marker comes what nothing else reads; without it, what stands before one is passed over.
        fillings = first, _next_restart(whole) + second
        pictures += (_decode_whole(whole + filling + _END, header, target) for filling in fillings)
    if not pictures or pictures[0] is None or pictures[1] is None:
        return None
    return pictures[0] if _are_alike(pictures[0], pictures[1]) else None


def _are_alike(first: Image.Image, second: Image.Image) -> bool:
    """Whether two pictures of one size are the same; some lines at a time, since no other thread runs meanwhile."""
    lines = max(1, _COMPARED_PIXELS // first.width)
    bands = ((0, top, first.width, min(top + lines, first.height)) for top in range(0, first.height, lines))
    return all(first.crop(band) == second.crop(band) for band in bands)


def _decode_rows(data: bytes, header: Header, target: Target) -> Image.Image | None:
    """Decodes a file of one scan that has no end marker; None where the data does not reach the last row.

    The codec hands on a row of blocks when it has all of it; otherwise what was in the picture before is still there.
    """
    codec = _open(data, header, target)
    picture = Image.new(codec.mode, codec.size)
    last = 0, picture.height - 1, picture.width, picture.height
    row = Image.frombytes(codec.mode, (picture.width, 1), os.urandom(picture.width * len(codec.getbands())))
    picture.paste(row, last)
    codec.im = picture.im
    with contextlib.suppress(UnreadableError):  # of the missing marker
        load(codec)
    picture.info = codec.info
    return None if picture.crop(last) == row else picture


def _decode_whole(data: bytes, header: Header, target: Target) -> Image.Image:
    """Decodes a file at its full size, where every coefficient is seen."""
    picture = _open(data, header._replace(kind=""), target)
    load(picture)
    return picture


def _next_restart(data: bytes) -> bytes:
    """The marker that the next interval would begin with; nothing where no intervals are defined (T.81, B.2.4.4)."""
    if _RESTART_INTERVAL not in data:
        return b""
    scan = data.rfind(_SCAN)
    places = [data.rfind(bytes((_FILL, marker)), scan) for marker in range(0xD0, 0xD8)]
    last = max(range(8), key=places.__getitem__) if max(places) >= 0 else 7
    return bytes((_FILL, 0xD0 + (last + 1) % 8))


def _open(data: bytes, header: Header, target: Target) -> ImageFile:
    picture = open_with(JpegImageFile, data, header)
    picture.decodermaxblock = max(len(data), 1)  # at once: arithmetic decoding cannot pause for more
    reduction = header.reduction(target)
    if reduction > 1:
        keeps_colors = target.icc and transform_of(picture) is not None
        mode = picture.mode if keeps_colors else target.color_mode
        picture.draft(mode, (header.width // reduction, header.height // reduction))
    return picture


def _segments(data: bytes) -> Iterator[tuple[int, int]]:
    """(marker, the place of its segment) of the whole file; what stands between segments is passed over."""
    at, end = 2, len(data)
    while at + 3 < end:
        marker = data[at + 1]
        if data[at] != _FILL or marker in _NO_MARKERS:
            match = _MARKER.search(data, at, at + _SEARCHED_BYTES + 1)
            if match is None:
                at += _SEARCHED_BYTES
                continue
            at = match.start()
            marker = data[at + 1]
        at += 2
        if marker not in _BARE:
            yield marker, at
            at += data[at] << 8 | data[at + 1]


def _coefficients(components: bytes, pixels: int) -> int:
    """How many coefficients a codec keeps that has to see several scans before it makes a pixel."""
    factors = [(byte >> 4) * (byte & 15) for byte in components[1::3]]
    most = max(factors, default=1) or 1
    return pixels * sum(factors) // most


def _lacks_its_end_only(data: bytes) -> bool:
    """Whether a file without an end marker has all of its scans, as far as their headers tell."""
    if data.rstrip(b"\0").endswith(_END):
        return False
    bits_left: dict[tuple[int, int], int] = {}
    frame, components, scans = 0, b"", 0
    for marker, at in _segments(data):
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
    if not frame or frame in _ARITHMETIC:  # whose code may end before its last bits, if they are zeros
        return False
    return all(bits_left.get((component, index)) == 0 for component in components for index in range(64))
