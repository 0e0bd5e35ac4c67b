"""The boxes of AVIF and HEIC files (ISO/IEC 14496-12 and 23008-12): which pictures they contain, how large, and where.

Both codecs allocate memory for the size in the bitstream, even if the boxes around it declare another size. So this
module finds the headers of the bitstreams, and ``av1`` and ``hevc`` read them.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from imaging.color_codes import profile_of
from imaging.errors import UnreadableError
from imaging.formats.codec import Reading

_MOST_BOXES, _MOST_ITEMS, _MOST_EXTENTS = 10_000, 10_000, 10_000  # of one file; each takes about a microsecond


_BLOCK_PIXELS, _PLANES_BYTES = 128, 8  # both codecs make their planes of whole blocks


class Box(NamedTuple):
    """One box.

    Attributes:
        kind: four characters.
        content: what follows its header.
    """

    kind: bytes
    content: memoryview


class Container(NamedTuple):
    """The description of a file's pictures in its boxes.

    Attributes:
        sizes: (width, height) of each picture and each part of a picture.
        configurations: contents of the ``hvcC`` boxes, which set up HEVC's codec.
        items: (kind, bitstream) of each coded item, such as ``av01`` or ``hvc1``. Each bitstream is joined from its
            pieces, and checked, when it is taken.
        profile: the colour profile of the primary picture, or one made of its code points; empty without either.
        orientation: of the primary picture's rotation and mirroring, numbered as in EXIF; 1 without either.
    """

    sizes: list[tuple[int, int]]
    configurations: list[bytes]
    items: Iterator[tuple[bytes, bytes]]
    profile: bytes
    orientation: int


def brands(data: bytes) -> list[bytes]:
    """The brands of a file that begins with ``ftyp``, the major one first."""
    (length,) = struct.unpack_from(">I", data)
    end = min(length, 512, len(data))
    return [data[8:12]] + [data[at : at + 4] for at in range(16, end - 3, 4)]


def read_container(data: bytes) -> Container:
    """Reads the boxes that describe still pictures.

    Raises:
        UnreadableError: they are broken, or there are none.
    """
    with Reading("its header is broken"):
        view, boxes = memoryview(data), _Boxes()
        meta = next((box.content[4:] for box in boxes.walk(view) if box.kind == b"meta"), None)
        if meta is None:
            raise UnreadableError("its header is broken (it describes no still picture)")
        parts = {box.kind: box.content for box in boxes.walk(meta)}
        properties = list(boxes.walk(parts.get(b"iprp", view[:0])))
        entries = [entry for box in properties if box.kind == b"ipco" for entry in boxes.walk(box.content)]
        places = _places_of_primary(parts.get(b"pitm", view[:0]), properties)
        primary = [entries[at - 1] for at in places if 0 < at <= len(entries)]
        sizes, configurations = [], []
        for entry in entries:
            if entry.kind == b"ispe":
                sizes.append(struct.unpack_from(">II", entry.content, 4))
            elif entry.kind == b"hvcC":
                configurations.append(bytes(entry.content))
        if not sizes:
            raise UnreadableError("its header is broken (it declares no size)")
        kinds = dict(_item_kinds(parts.get(b"iinf", view[:0]), boxes))
        streams = _item_streams(parts.get(b"iloc", view[:0]), view, parts.get(b"idat", view[:0]))
        items = ((kinds[item], stream) for item, stream in streams if item in kinds)
        return Container(sizes, configurations, items, _profile(primary), _orientation(primary))


def padding_bytes(width: int, height: int) -> int:
    """Most bytes that a codec holds beyond the pixels of a picture, because the sides of its planes are padded."""
    across, down = -(-width // _BLOCK_PIXELS) * _BLOCK_PIXELS, -(-height // _BLOCK_PIXELS) * _BLOCK_PIXELS
    return (across * down - width * height) * _PLANES_BYTES


class _Boxes:
    """Counts the boxes of one file, at all levels."""

    def __init__(self) -> None:
        self._left = _MOST_BOXES

    def walk(self, view: memoryview) -> Iterator[Box]:
        """The consecutive boxes of a part of the file.

        Raises:
            UnreadableError: the file has too many.
        """
        at = 0
        while at + 8 <= len(view):
            self._left -= 1
            if self._left < 0:
                raise UnreadableError("its header is broken (too many boxes)")
            length, kind = struct.unpack_from(">I4s", view, at)
            start = 8
            if length == 1:
                (length,) = struct.unpack_from(">Q", view, at + 8)
                start = 16
            elif length == 0:
                length = len(view) - at
            if length < start:
                raise UnreadableError("its header is broken (a box is shorter than its own header)")
            yield Box(kind, view[at + start : at + length])
            at += length


def _places_of_primary(content: memoryview, properties: list[Box]) -> list[int]:
    """The indices, counted from 1, of the primary picture's properties, from ``pitm`` and ``ipma``.

    Each item stands in ``ipma`` once at most, so the search ends at the primary one.
    """
    if not content:
        return []
    primary = _Cursor(content[4:]).number(2 if content[0] == 0 else 4)
    entries = 0
    for box in properties:
        if box.kind != b"ipma":
            continue
        version, flags, cursor = box.content[0], box.content[3], _Cursor(box.content[4:])
        place_bytes = 2 if flags & 1 else 1
        count = cursor.number(4)
        entries += count
        if entries > _MOST_ITEMS:
            raise UnreadableError("its header is broken (too many items with properties)")
        for _ in range(count):
            item, length = cursor.number(2 if version == 0 else 4), cursor.number(1)
            if item == primary:
                found = [cursor.number(place_bytes) for _ in range(length)]
                return [*dict.fromkeys(place & ~(0x80 << 8 * (place_bytes - 1)) for place in found)]
            cursor.skip(length * place_bytes)
    return []


def _orientation(properties: list[Box]) -> int:
    """The EXIF orientation that turns a picture as its ``irot`` and then its ``imir`` do (ISO/IEC 23008-12, 6.5)."""
    found = {entry.kind: entry.content[0] for entry in properties if entry.kind in {b"irot", b"imir"}}
    axis = found[b"imir"] & 1 if b"imir" in found else None
    after_rotation = {None: (1, 8, 3, 6), 0: (4, 5, 2, 7), 1: (2, 7, 4, 5)}  # by 0, 90, 180 and 270 degrees
    return after_rotation[axis][found.get(b"irot", 0) & 3]


def _profile(properties: list[Box]) -> bytes:
    """The ICC profile among a picture's properties, or else one made of its code points."""
    colors = [bytes(entry.content) for entry in properties if entry.kind == b"colr"]
    profiles = [color[4:] for color in colors if color[:4] in {b"prof", b"rICC"}]
    codes = [struct.unpack_from(">HH", color, 4) for color in colors if color[:4] == b"nclx"]
    return next(iter((*profiles, *(profile_of(*numbers) for numbers in codes), b"")))


def _item_kinds(content: memoryview, boxes: _Boxes) -> Iterator[tuple[int, bytes]]:
    """(id, kind) of each item, from ``iinf``."""
    if not content:
        return
    for box in boxes.walk(content[6 if content[0] == 0 else 8 :]):
        if box.kind == b"infe" and box.content[0] in {2, 3}:
            item, _, kind = struct.unpack_from(">HH4s" if box.content[0] == 2 else ">IH4s", box.content, 4)
            yield item, kind


class _Cursor:
    """Reads big-endian numbers of any length, one after the other."""

    def __init__(self, view: memoryview) -> None:
        self._view = view
        self._at = 0

    def number(self, length: int) -> int:
        part = self._view[self._at : self._at + length]
        if len(part) < length:
            raise UnreadableError("its header is broken (a box ends too early)")
        self._at += length
        return int.from_bytes(part)

    def skip(self, length: int) -> None:
        self._at += length


def _item_streams(content: memoryview, file: memoryview, inner: memoryview) -> Iterator[tuple[int, bytes]]:
    """(id, bytes) of each item that is stored in the file or in ``idat``, from ``iloc``."""
    if not content:
        return
    version, cursor = content[0], _Cursor(content[4:])
    sizes = cursor.number(2)
    offset_size, length_size, base_size = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15
    index_size = sizes & 15 if version else 0
    items = cursor.number(2 if version < 2 else 4)
    if items > _MOST_ITEMS:
        raise UnreadableError("its header is broken (too many items)")
    extents, room = 0, len(file)
    for _ in range(items):
        item = cursor.number(2 if version < 2 else 4)
        method = cursor.number(2) & 15 if version else 0
        cursor.number(2)
        base = cursor.number(base_size)
        pieces: list[memoryview] = []
        count = cursor.number(2)
        extents += count
        if extents > _MOST_EXTENTS:
            raise UnreadableError("its header is broken (too many extents)")
        for _ in range(count):
            cursor.number(index_size)
            offset, length = base + cursor.number(offset_size), cursor.number(length_size)
            source = inner if method == 1 else file
            piece = source[offset : offset + length] if length else source[offset:]
            room -= len(piece)
            if room < 0:
                raise UnreadableError("its header is broken (its items overlap)")
            pieces.append(piece)
        yield item, b"".join(pieces)
