"""The cost of decoding a WebP, from its chunks (RFC 9649, chapter 2).

::

    RIFF  VP8                                              lossy, one frame: limited by its pixels
    RIFF  VP8L                                             lossless: a small file can have 65,536 sets of tables
    RIFF  VP8X [ICCP] [ANIM] [ALPH VP8 | VP8L | ANMF ...] [EXIF] [XMP]

An alpha channel is coded like a lossless picture. The decoder gets the first frame, the colour profile, and the
orientation in place of EXIF and XMP.
"""

import struct
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from imaging import limits
from imaging.bounds.cost import Cost
from imaging.bounds.exif import minimal_exif
from imaging.errors import UnreadableError
from imaging.formats import webp
from imaging.formats.orientation import orientation_of

_HEAD, _VP8X_END = 12, 30
_CHUNK = struct.Struct("<4sI")
_FRAME_HEAD = 16  # of ANMF, before the chunks in it
_LOSSLESS_ALPHA, _ALPHA_METHOD = 1, 3
_FLAGS_AT, _HAS_EXIF, _HAS_XMP = 20, 0x08, 0x04
_FLAGS: Mapping[bytes, int] = MappingProxyType({b"EXIF": _HAS_EXIF, b"XMP ": _HAS_XMP})
_KEPT = {b"ICCP", b"ANIM", b"ALPH"}
_OPEN_S, _BYTE_S, _PIXEL_S = 80e-6, 30e-9, 12e-9
_MOST_ALONE_S = 5e-3  # most time in this codec, during which no other thread runs
_LOSSLESS_BYTE_S, _LOSSLESS_MOST_BYTES, _LOSSLESS_PIXEL_S = 4e-9, 2, 20e-9  # the second is in bytes per pixel


class _Chunk(NamedTuple):
    """The position of a chunk, including its padding."""

    kind: bytes
    start: int
    end: int


def measure_webp(data: bytes) -> Cost:
    """Estimates the cost of decoding a WebP.

    Args:
        data: the whole file.

    Returns:
        The cost, with the part of the file that a decoder needs.

    Raises:
        UnreadableError: the header is broken, or more data is before the first frame than any encoder writes.
    """
    if len(data) < _VP8X_END:
        raise UnreadableError("its header is broken (the file ends inside it)")
    (length,) = struct.unpack_from("<I", data, 4)
    if data[_HEAD : _HEAD + 4] != b"VP8X" or length + 8 > len(data):
        return _cost(data, is_lossless=data[_HEAD : _HEAD + 4] != b"VP8 ")
    chunks = _chunks(data, length + 8)
    kept: list[_Chunk] = []
    frame: _Chunk | None = None
    about: dict[str, bytes] = {}
    for chunk in chunks:
        if chunk.kind in _FLAGS:
            if not data[_FLAGS_AT] & _FLAGS[chunk.kind]:
                continue  # "set if the file contains" them: libwebp, and so browsers, ignore such a chunk too
            content = chunk.start + _CHUNK.size
            key = "exif" if chunk.kind == b"EXIF" else "xmp"
            about.setdefault(key, data[content : min(chunk.end, content + limits.MAX_EXIF_BYTES)])
        elif frame is None and chunk.kind in {b"VP8 ", b"VP8L", b"ANMF"}:
            frame = chunk
        elif frame is None and chunk.kind in _KEPT:
            kept.append(chunk)
    if frame is None:
        raise UnreadableError("its header is broken (it holds no frame, or too many chunks before the first one)")
    is_lossless = _is_lossless(data, frame) or any(_is_lossless(data, chunk) for chunk in kept)
    head = bytearray(data[:_VP8X_END])
    parts = [data[chunk.start : chunk.end] for chunk in (*kept, frame)]
    orientation = orientation_of(about)
    head[_FLAGS_AT] &= ~(_HAS_EXIF | _HAS_XMP)
    if orientation != 1:
        exif = minimal_exif(orientation)
        head[_FLAGS_AT] |= _HAS_EXIF
        parts.append(_CHUNK.pack(b"EXIF", len(exif)) + exif)
    struct.pack_into("<I", head, 4, _VP8X_END - 8 + sum(map(len, parts)))
    profiles = (data[chunk.start + _CHUNK.size : chunk.end] for chunk in kept if chunk.kind == b"ICCP")
    return _cost(b"".join((head, *parts)), is_lossless=is_lossless, profile=next(profiles, b""))


def _chunks(data: bytes, end: int) -> list[_Chunk]:
    """The chunks after VP8X, up to the limit of chunks."""
    (length,) = struct.unpack_from("<I", data, _HEAD + 4)
    at, found = _HEAD + _CHUNK.size + length + length % 2, []
    for _ in range(limits.WEBP_CHUNKS + (len(data) >> 14)):
        if at + _CHUNK.size > end:
            break
        kind, length = _CHUNK.unpack_from(data, at)
        found.append(_Chunk(kind, at, min(end, at + _CHUNK.size + length + length % 2)))
        at = found[-1].end
    return found


def _is_lossless(data: bytes, chunk: _Chunk) -> bool:
    """Whether a chunk's pixels, or their alpha, use the lossless coding."""
    content = chunk.start + _CHUNK.size
    if chunk.kind == b"ALPH":
        return content < len(data) and data[content] & _ALPHA_METHOD == _LOSSLESS_ALPHA
    if chunk.kind == b"ANMF":
        return data[content + _FRAME_HEAD : content + _FRAME_HEAD + 4] != b"VP8 "
    return chunk.kind == b"VP8L"


def _cost(data: bytes, *, is_lossless: bool, profile: bytes = b"") -> Cost:
    pixels = webp.read_header(data).pixels
    if is_lossless:
        work_s = _OPEN_S + min(len(data), pixels * _LOSSLESS_MOST_BYTES) * _LOSSLESS_BYTE_S
        return Cost(data, work_s, _LOSSLESS_PIXEL_S, is_bounded=False, profile=profile)
    work_s = _OPEN_S + len(data) * _BYTE_S
    is_bounded = work_s + pixels * _PIXEL_S <= _MOST_ALONE_S
    return Cost(data, work_s, _PIXEL_S, is_bounded, profile)
