"""The segments of a JPEG before its first scan (ITU-T T.81, annex B).

::

    SOI  APP0 APP1 ... DQT  SOF  DHT DHT  SOS
         └── counted, since Pillow reads each of them in Python

The decoder gets the file without the segments that it does not need, and with the orientation in place of the whole
EXIF.
"""

import struct
from collections.abc import Mapping
from types import MappingProxyType

from imaging import limits
from imaging.bounds.exif import minimal_exif
from imaging.bounds.jpeg_frame import FRAMES, Frame
from imaging.errors import UnreadableError
from imaging.formats.orientation import orientation_of

SOS = 0xDA
_DQT, _DHT, _DRI, _DAC, _COM, _TEM = 0xDB, 0xC4, 0xDD, 0xCC, 0xFE, 0x01
_APP0, _APP1, _APP2, _APP14, _APP15 = 0xE0, 0xE1, 0xE2, 0xEE, 0xEF
_KEPT = {*FRAMES, _DQT, _DHT, _DRI, _DAC, _APP0, _APP14}
_LEFT_OUT = {_COM, *range(_APP0, _APP15 + 1)}
_OTHER_FRAMES: Mapping[int, str] = MappingProxyType(
    dict.fromkeys((0xC3, 0xCB), "a lossless JPEG")
    | dict.fromkeys((0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF), "a hierarchical JPEG")
    | {0xF7: "a JPEG-LS picture"}
)
_RESTARTS = range(0xD0, 0xD8)
_NO_MARKERS = {0x00, 0xFF}
_EXIF, _XMP, _PROFILE = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0", b"ICC_PROFILE\0"
_SEGMENT = struct.Struct(">BBH")
HEAD = _SEGMENT.size
"""Bytes of a marker and its segment's length, before the content."""

LONGEST = {_DQT: 4 * 129, _DHT: 8 * (17 + 256)}
"""Most bytes of a segment of tables: with as many tables as a decoder can hold."""


class HeaderSegments:
    """Reads the segments up to the first scan.

    Args:
        data: the whole file, beginning with SOI.

    Attributes:
        frame: the content of SOF.
        start: offset of the marker of the first scan.
        end: offset of the end of that scan's header.

    Raises:
        UnreadableError: the header is broken, or it has more parts of a kind than any encoder writes.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._kept = [data[:2]]
        self._exif: list[bytes] = []
        self._xmp: bytes | None = None
        self._profile: list[bytes] = []
        self._profile_bytes = 0
        self._tables = 0
        frame: Frame | None = None
        most, padding, offset = limits.JPEG_SEGMENTS + (len(data) >> 10), limits.MAX_JPEG_PADDING, 2
        for _ in range(most):
            self.start, marker, self.end = find_segment(data, offset, padding)
            padding -= self.start - offset
            offset = self.end
            if marker == SOS:
                break
            if marker in FRAMES:
                if frame is not None:
                    raise UnreadableError("its header is broken (two frames)")
                frame = Frame(marker, data[self.start + HEAD : offset])
            self._take(marker, self.start, offset)
        else:
            raise UnreadableError(f"more than {most} segments stand before its first scan")
        if frame is None:
            raise UnreadableError("its header is broken (a scan before the frame)")
        self.frame = frame

    def _take(self, marker: int, start: int, end: int) -> None:
        """Keeps a segment, or the part of it that is needed."""
        content = start + HEAD
        if marker in _KEPT:
            self._tables += marker in LONGEST
            if end - content > LONGEST.get(marker, end) or self._tables > limits.JPEG_TABLES:
                raise UnreadableError("its header is broken (more tables than there are places for)")
            self._kept.append(self._data[start:end])
        elif marker == _APP2 and self._data.startswith(_PROFILE, content):
            self._profile_bytes += end - start
            if self._profile_bytes > limits.MAX_PROFILE_BYTES:
                raise UnreadableError(f"its colour profile has more than {limits.MAX_PROFILE_BYTES} bytes")
            self._kept.append(self._data[start:end])
            self._profile.append(self._data[content + len(_PROFILE) : end])
        elif marker == _APP1 and self._data.startswith(_EXIF, content):
            self._exif.append(self._data[content + len(_EXIF) : end])
        elif marker == _APP1 and self._data.startswith(_XMP, content):
            self._xmp = self._data[content + len(_XMP) : end]
        elif marker in _OTHER_FRAMES:
            raise UnreadableError(
                f"it is {_OTHER_FRAMES[marker]}, which is not read; save it as an ordinary JPEG or PNG"
            )
        elif marker not in _LEFT_OUT:
            raise UnreadableError(f"its header is broken (marker {marker:#04x} before the first scan)")

    def profile(self) -> bytes:
        """The colour profile, joined from its numbered pieces; empty where there is none."""
        return b"".join(piece[2:] for piece in sorted(self._profile))

    def needed(self, stop: int) -> bytes:
        """The file without the parts that no decoder needs.

        Args:
            stop: offset of the end of its scans.
        """
        if stop == len(self._data) and sum(map(len, self._kept)) == self.start:
            return self._data
        orientation = orientation_of({"exif": b"".join(self._exif), "xmp": self._xmp})
        if orientation != 1:
            exif = _EXIF + minimal_exif(orientation)
            self._kept.append(_SEGMENT.pack(0xFF, _APP1, len(exif) + 2) + exif)
        return b"".join((*self._kept, memoryview(self._data)[self.start : stop]))


def find_segment(data: bytes, offset: int, padding: int) -> tuple[int, int, int]:
    """Finds the next segment.

    Args:
        data: the whole file.
        offset: where it should begin.
        padding: most bytes before it that belong to no segment.

    Returns:
        The offset of its marker, the marker's code, and the offset of the segment's end.

    Raises:
        UnreadableError: the file ends first, or there is more padding.
    """
    start = offset
    while start + HEAD <= len(data):
        first, marker, length = _SEGMENT.unpack_from(data, start)
        if first != 0xFF:
            start = data.find(b"\xff", start, offset + padding + 1)
            if start < 0:
                break
        elif marker in _NO_MARKERS:
            start += 1
        elif marker in _RESTARTS or marker == _TEM:
            start += 2
        else:
            end: int = start + 2 + length
            if length < 2 or end > len(data):
                raise UnreadableError("its header is broken (a segment is longer than the file)")
            return start, marker, end
        if start - offset > padding:
            break
    raise UnreadableError("its header is broken (it ends, or loses itself, before the first scan)")
