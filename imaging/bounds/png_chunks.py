"""The cost of decoding a PNG, from its chunks (PNG specification, third edition, chapters 5 and 11).

::

    signature IHDR [PLTE tRNS iCCP ... text] IDAT IDAT ... [acTL fcTL fdAT ... text] IEND
              │                              └ one deflate stream: no more bytes than the pixels have
              └ the size, which limits the bytes of the stream

Pillow reads every chunk in Python, inflates every text and begins to read further frames of an animation. So the
decoder gets only the chunks that the pixels depend on, with the orientation in place of texts and EXIF.
"""

import struct
import zlib

from imaging import limits
from imaging.bounds.cost import Cost
from imaging.bounds.exif import minimal_exif
from imaging.bounds.inflation import DamagedError, inflate, inflate_head
from imaging.color_codes import profile_of
from imaging.color_profile import changes_nothing
from imaging.errors import UnreadableError
from imaging.formats.orientation import orientation_of

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_IHDR = struct.Struct(">I4sIIBBBBB")
_CHUNK = struct.Struct(">I4s")
_OVERHEAD = 12
_FIRST = len(_SIGNATURE) + _IHDR.size + 4
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
# Kept once each. Most of them change no pixel, but they are small, and `fast_png` takes files with them.
_KEPT = {b"PLTE", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"pHYs", b"tIME", b"bKGD", b"sBIT"}
_TEXTS = {b"tEXt", b"zTXt", b"iTXt"}
_EXIF_TEXT, _XMP_KEY = "Raw profile type exif", b"XML:com.adobe.xmp"
_KEY_BYTES = 80  # longest key of a text
_PROFILE_NAME = b"icc"
# (first column, first row, columns apart, rows apart) of each pass of Adam7.
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_SHORT_CHUNK_BYTES = 1024  # shorter chunks of pixels are joined: Pillow takes longer for a chunk than for its bytes

_PROFILE_BYTE_S = 100e-9  # for a compressed byte, in the worst case
_OPEN_S, _BYTE_S, _RAW_BYTE_S, _PIXEL_S = 60e-6, 8e-9, 5.5e-9, 4e-9


class _Chunks:
    """The chunks of one file that a decoder needs.

    Args:
        data: the whole file.

    Raises:
        UnreadableError: there are more of them than any encoder writes.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._kept: list[bytes] = []
        self._pixels: list[tuple[int, int]] = []
        self._exif: bytes | None = None
        self._exif_text: str | None = None
        self._xmp: bytes | None = None
        self._is_needed_whole = False
        self.pixel_bytes = 0
        self.profile = b""
        self.profile_bytes = 0
        self._walk()

    def _walk(self) -> None:
        data, size, offset = self._data, len(self._data), _FIRST
        most, seen, left_out = limits.PNG_CHUNKS + (size >> 10), set(), False
        for _ in range(most):
            if offset + 8 > size:
                break
            length, kind = _CHUNK.unpack_from(data, offset)
            start, offset = offset, offset + length + _OVERHEAD
            if kind == b"IDAT":
                self._pixels.append((start, offset))
                self.pixel_bytes += length
            elif kind == b"IEND":
                break
            elif kind == b"IHDR":
                raise UnreadableError("its header is broken (two of IHDR)")
            elif kind in _KEPT and kind not in seen:
                seen.add(kind)
                self._kept.append(data[start:offset])
            else:
                left_out = True
                self._look_at(kind, data, start + 8, offset - 4)
        else:
            raise UnreadableError(f"it has more than {most} chunks, for {size} bytes")
        is_tidy = len(self._pixels) * _SHORT_CHUNK_BYTES <= self.pixel_bytes + _SHORT_CHUNK_BYTES
        self._is_needed_whole = is_tidy and not left_out and offset == size

    def _look_at(self, kind: bytes, data: bytes, start: int, end: int) -> None:
        """Takes orientation or colour profile from a chunk that is left out."""
        if kind == b"iCCP" and not self.profile_bytes:
            self.profile_bytes = end - start
            profile = self.profile or _profile(data[start:end])
            self.profile = b"" if changes_nothing(profile) else profile
        elif kind == b"cICP" and len(codes := data[start:end]) == 4 and (profile := profile_of(codes[0], codes[1])):
            # It has priority over iCCP.
            self.profile = profile
        elif kind == b"eXIf" and end - start <= limits.MAX_EXIF_BYTES:
            self._exif = data[start:end]
        elif kind in _TEXTS:
            key = data[start : min(end, start + _KEY_BYTES)].partition(b"\0")[0]
            if key == _XMP_KEY and self._xmp is None:
                self._xmp = _text(kind, data[start + len(key) + 1 : end])
            elif key == _EXIF_TEXT.encode() and self._exif_text is None:
                self._exif_text = _text(kind, data[start + len(key) + 1 : end]).decode("latin-1")

    def needed(self) -> bytes:
        """The file without the parts that no decoder needs."""
        if self._is_needed_whole:
            return self._data
        parts = [self._data[:_FIRST]]
        if self.profile:  # stored uncompressed, so that Pillow inflates it in no time
            parts.append(_chunk(b"iCCP", b"\0\0".join((_PROFILE_NAME, zlib.compress(self.profile, 0)))))
        orientation = orientation_of({"exif": self._exif, _EXIF_TEXT: self._exif_text, "xmp": self._xmp})
        if orientation != 1:
            parts.append(_chunk(b"eXIf", minimal_exif(orientation)))
        parts += self._kept
        if len(self._pixels) * _SHORT_CHUNK_BYTES > self.pixel_bytes:
            parts.append(_chunk(b"IDAT", b"".join(self._data[start + 8 : end - 4] for start, end in self._pixels)))
        else:
            parts += (self._data[start:end] for start, end in self._pixels)
        return b"".join((*parts, _chunk(b"IEND", b"")))


def measure_png(data: bytes) -> Cost:
    """Estimates the cost of decoding a PNG.

    Args:
        data: the whole file, beginning with its signature.

    Returns:
        The cost, with the part of the file that a decoder needs.

    Raises:
        UnreadableError: the header is broken, or it has more parts of a kind than any encoder writes.
    """
    raw_bytes = _raw_bytes(data)
    chunks = _Chunks(data)
    if chunks.pixel_bytes > raw_bytes + (raw_bytes >> 6) + limits.PNG_SPARE_BYTES:
        raise UnreadableError(
            f"{chunks.pixel_bytes} bytes of compressed pixels are more than the {raw_bytes} of its pixels uncompressed"
        )
    work_s = chunks.pixel_bytes * _BYTE_S + raw_bytes * _RAW_BYTE_S + chunks.profile_bytes * _PROFILE_BYTE_S
    return Cost(chunks.needed(), _OPEN_S + work_s, _PIXEL_S, profile=chunks.profile)


def _raw_bytes(data: bytes) -> int:
    """Number of bytes of the filtered rows, to which the chunks of pixels inflate."""
    if len(data) < _FIRST:
        raise UnreadableError("its header is broken (the file ends inside it)")
    length, kind, width, height, depth, color, _, _, interlace = _IHDR.unpack_from(data, len(_SIGNATURE))
    if kind == b"CgBI":
        raise UnreadableError(
            "it is a PNG that was changed for iOS apps (CgBI), which is not read; send the original one"
        )
    if length != 13 or kind != b"IHDR" or color not in _CHANNELS or not width or not height:
        raise UnreadableError("its header is broken (IHDR)")
    bits = depth * _CHANNELS[color]
    if not interlace:
        return int(height * (1 + (width * bits + 7 >> 3)))
    total = 0
    for left, top, across, down in _PASSES:
        columns, rows = -(-(width - left) // across), -(-(height - top) // down)
        if columns > 0 and rows > 0:
            total += rows * (1 + (columns * bits + 7 >> 3))
    return total


def _chunk(kind: bytes, content: bytes) -> bytes:
    return b"".join(
        (_CHUNK.pack(len(content), kind), content, struct.pack(">I", zlib.crc32(content, zlib.crc32(kind))))
    )


def _profile(content: bytes) -> bytes:
    """The profile in an iCCP chunk; empty where it is damaged."""
    _, _, rest = content.partition(b"\0")
    try:
        return inflate(rest[1:], min(limits.MAX_PNG_PROFILE_BYTES, limits.PNG_PROFILE_RATIO * len(rest)))
    except DamagedError:
        return b""


def _text(kind: bytes, rest: bytes) -> bytes:
    """The beginning of a text; ``rest`` is the chunk's content after its key."""
    is_compressed = kind == b"zTXt"
    if kind == b"zTXt":
        rest = rest[1:]
    elif kind == b"iTXt":
        is_compressed = rest[:1] == b"\1"
        rest = rest[2:].partition(b"\0")[2].partition(b"\0")[2]
    return inflate_head(rest[: limits.MAX_TEXT_BYTES], limits.MAX_XMP_BYTES) if is_compressed else rest
