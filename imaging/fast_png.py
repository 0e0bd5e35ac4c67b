"""The short way for the commonest picture: a PNG that already is what the model takes.

kornia-rs decodes such a file to the very pixels that Pillow makes, at a third of the time. It is optional, and whatever
it does not take, or refuses, goes the long way, where Pillow decides.
"""

import struct
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from imaging.fit import invert_if_light
from imaging.target import Target

try:
    from kornia_rs.io import decode_image_png_u8 as decode_png
except ImportError:  # it is optional
    decode_png = None

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_IHDR = struct.Struct(">I4sIIBBBBB")
_COLOR_TYPES = {"RGB": 2, "L": 0}
_KORNIA_MODES = {"RGB": "rgb", "L": "mono"}
_FIRST_CHUNK = len(_SIGNATURE) + _IHDR.size + 4
_CHUNK = struct.Struct(">I4s")
# Chunks that leave the pixels as they are. Others (transparency, orientation, text that may hold one) go the long way.
_PLAIN_CHUNKS = {b"IDAT", b"gAMA", b"cHRM", b"sRGB", b"pHYs", b"tIME", b"bKGD", b"sBIT"}
_CHUNK_OVERHEAD = 12


FastDecode = Callable[[bytes], NDArray[np.uint8] | None]
"""Decodes a file to uint8 [H, W, C], or returns None for the long way to take it."""


@lru_cache(maxsize=64)
def fast_png_decoder(target: Target) -> FastDecode:
    """Makes the short way for a model's input; the same one for the same input.

    Args:
        target: what the model wants.

    Returns:
        The decoder; without kornia-rs, or where every picture is resized or cropped, one that takes nothing.
    """
    if decode_png is None or not target.is_met_by(target.width, target.height):
        return lambda _data: None
    header = _IHDR.pack(13, b"IHDR", target.width, target.height, 8, _COLOR_TYPES[target.color_mode], 0, 0, 0)
    prefix, size, mode = _SIGNATURE + header, (target.height, target.width), _KORNIA_MODES[target.color_mode]

    def decode(data: bytes) -> NDArray[np.uint8] | None:
        if not data.startswith(prefix) or not _is_plain(data):
            return None
        try:
            pixels: NDArray[np.uint8] = decode_png(data, size, mode)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException:  # noqa: BLE001  a panic in Rust is not an Exception; Pillow says what is wrong, or forgives
            return None
        if not target.light_on_dark:
            return pixels
        grey = invert_if_light(pixels.tobytes(), target.width)
        return np.frombuffer(grey, np.uint8).reshape(target.shape)

    return decode


def _is_plain(data: bytes) -> bool:
    """Whether a PNG has no chunk, before its end, that changes what its pixels mean."""
    offset, end = _FIRST_CHUNK, len(data) - _CHUNK_OVERHEAD
    while offset <= end:
        length, kind = _CHUNK.unpack_from(data, offset)
        if kind == b"IEND":
            return True
        if kind not in _PLAIN_CHUNKS:
            return False
        offset += length + _CHUNK_OVERHEAD
    return False
