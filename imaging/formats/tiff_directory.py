"""Reads, changes and writes the directory of a TIFF's first picture (TIFF 6.0, Adobe 1992; BigTIFF, AWare Systems).

Only the tags that pixels depend on are kept. A codec that gets a file with such a directory sees no vendor's tags and
no second picture, and always the classic layout, also for a BigTIFF.
"""

import struct
from typing import NamedTuple, Self

from imaging.errors import UnreadableError
from imaging.formats.codec import Reading
from imaging.limits import MAX_DIRECTORY_ENTRIES

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 256, 257, 258, 259, 262
STRIP_OFFSETS, SAMPLES, STRIP_BYTES, PLANAR = 273, 277, 279, 284
FILL_ORDER, ORIENTATION, PREDICTOR, TILE_OFFSETS = 266, 274, 317, 324
TILE_WIDTH, TILE_LENGTH, TILE_BYTES, EXTRA_SAMPLES, SAMPLE_FORMAT = 322, 323, 325, 338, 339
XMP, PROFILE = 700, 34675

# Beside those above: RowsPerStrip, T4Options, T6Options, ColorMap, InkSet,
# JPEGTables, the old JPEG tags, four of YCbCr's, XMP (which may hold an orientation) and the ICC profile.
_KEPT = frozenset(
    {WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, STRIP_OFFSETS, SAMPLES, STRIP_BYTES, PLANAR}
    | {FILL_ORDER, ORIENTATION, PREDICTOR, TILE_WIDTH, TILE_LENGTH, TILE_OFFSETS, TILE_BYTES}
    | {EXTRA_SAMPLES, SAMPLE_FORMAT, 278, 292, 293, 320, 332, 347, *range(512, 522), 529, 530, 531, 532, XMP, PROFILE}
)
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_CODES = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}  # of unsigned integers
# How many values of a tag are kept. The tags that are not named here have one for each sample at most, and a value as a
# Python object takes 36 bytes.
_COLORS, _SAMPLES = 3 << 16, 16
_COLOR_MAP, _JPEG_TABLES = 320, 347
_OF_ANY_LENGTH = frozenset({STRIP_OFFSETS, STRIP_BYTES, TILE_OFFSETS, TILE_BYTES, _JPEG_TABLES, XMP, PROFILE})
_SHORT, _LONG = 3, 4
_BIG = 43  # BigTIFF's version; 42 is the classic one


class Field(NamedTuple):
    """One tag's value, as stored in the file.

    Attributes:
        type: its number in the specification.
        length: in elements.
        raw: in the file's byte order.
    """

    type: int
    length: int
    raw: bytes


class Directory:
    """The tags of one picture.

    Args:
        order: byte order of the file, ``<`` or ``>``.
        fields: by tag.
    """

    def __init__(self, order: str, fields: dict[int, Field]) -> None:
        self.order = order
        self.fields = fields

    @classmethod
    def of(cls, data: bytes) -> Self:
        """Reads the first directory of a file.

        Raises:
            UnreadableError: it is truncated or broken.
        """
        with Reading("its header is broken"):
            if data[:2] not in {b"II", b"MM"}:
                raise UnreadableError("its header is broken (a TIFF begins with II or MM)")
            order = "<" if data[:2] == b"II" else ">"
            is_big = _BIG in (data[2], data[3])
            start, head, entry, offset = (8, "Q", "HHQ8s", "Q") if is_big else (4, "H", "HHI4s", "I")
            (place,) = struct.unpack_from(order + offset, data, start)
            (count,) = struct.unpack_from(order + head, data, place)
            if count > MAX_DIRECTORY_ENTRIES:
                raise UnreadableError(f"its header is broken (a directory of {count} tags)")
            place += struct.calcsize(order + head)
            entry_bytes = struct.calcsize(order + entry)
            count = min(count, (len(data) - place) // entry_bytes)
            fields: dict[int, Field] = {}
            room = len(data)  # limits the sum of the values, since overlapping values could have many times the file
            for tag, kind, length, inline in struct.iter_unpack(
                order + entry, data[place : place + count * entry_bytes]
            ):
                if tag not in _KEPT or tag in fields or kind not in _SIZES:
                    continue
                if tag not in _OF_ANY_LENGTH:
                    length = min(length, _COLORS if tag == _COLOR_MAP else _SAMPLES)  # noqa: PLW2901
                raw, size = inline, length * _SIZES[kind]
                if size > len(inline):
                    if size > room:
                        continue
                    room -= size
                    (at,) = struct.unpack(order + offset, inline)
                    raw = data[at : at + size]
                if len(raw) >= size:
                    fields[tag] = Field(kind, length, raw[:size])
            return cls(order, fields)

    def values(self, tag: int, default: tuple[int, ...] = ()) -> tuple[int, ...]:
        """A tag's unsigned integers, or the default where the tag is missing or has another type."""
        field = self.fields.get(tag)
        if field is None or field.type not in _CODES or not field.length:
            return default
        return struct.unpack(f"{self.order}{field.length}{_CODES[field.type]}", field.raw)

    def value(self, tag: int, default: int) -> int:
        """A tag's first unsigned integer, or the default."""
        field = self.fields.get(tag)
        if field is None or field.type not in _CODES or not field.length:
            return default
        (value,) = struct.unpack_from(self.order + _CODES[field.type], field.raw)
        return int(value)

    def changed(self, changes: dict[int, tuple[int, ...]]) -> "Directory":
        """A copy with other values for some tags; an empty tuple removes a tag."""
        fields = dict(self.fields)
        for tag, values in changes.items():
            fields.pop(tag, None)
            if values:
                kind = _SHORT if max(values) < 1 << 16 else _LONG
                raw = struct.pack(f"{self.order}{len(values)}{_CODES[kind]}", *values)
                fields[tag] = Field(kind, len(values), raw)
        return Directory(self.order, fields)

    def write(self, data: bytes) -> bytes:
        """The file with this directory in place of its own.

        Args:
            data: the whole file; its strips or tiles keep their offsets.

        Returns:
            A classic TIFF of one picture.

        Raises:
            UnreadableError: an offset is too large for a classic TIFF.
        """
        place = len(data) + len(data) % 2
        blobs_at = place + 2 + 12 * len(self.fields) + 4
        entries, blobs = [], b""
        for tag, field in sorted(self._classic().items()):
            raw = field.raw
            if len(raw) > 4:
                raw = struct.pack(self.order + "I", blobs_at + len(blobs))
                blobs += field.raw + bytes(len(field.raw) % 2)
            entries.append(struct.pack(self.order + "HHI", tag, field.type, field.length) + raw.ljust(4, b"\0"))
        head = (b"II*\0" if self.order == "<" else b"MM\0*") + struct.pack(self.order + "I", place)
        table = struct.pack(self.order + "H", len(entries)) + b"".join(entries) + bytes(4)
        return b"".join([head, memoryview(data)[len(head) :], bytes(len(data) % 2), table, blobs])

    def _classic(self) -> dict[int, Field]:
        """The fields, with 64-bit integers converted to 32 bits."""
        fields = {}
        for tag, field in self.fields.items():
            if field.type in {16, 18}:
                numbers = struct.unpack(f"{self.order}{field.length}Q", field.raw)
                if max(numbers, default=0) >> 32:
                    raise UnreadableError("its header is broken (an offset lies outside of the file)")
                fields[tag] = Field(_LONG, field.length, struct.pack(f"{self.order}{field.length}I", *numbers))
            else:
                fields[tag] = field
        return fields
