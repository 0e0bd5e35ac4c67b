"""The fast decoder for the most frequent picture: a PNG that has the size and mode of the model's input.

kornia-rs decodes such a file to exactly the pixels that Pillow makes, in a third of the time. It is optional. Pillow
decodes all other files, and those that kornia-rs refuses.
"""

import struct
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from imaging.bounds.inflation import inflate
from imaging.errors import TooSlowError, UnreadableError
from imaging.fit import invert_if_light
from imaging.limits import PNG_SPARE_BYTES
from imaging.observation import Observation, is_blank, observe_small
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
# Chunks that do not change the pixels. Files with others (transparency, orientation, also in text) go to Pillow.
_PLAIN_CHUNKS = {b"IDAT", b"gAMA", b"cHRM", b"sRGB", b"pHYs", b"tIME", b"bKGD", b"sBIT"}
_CHUNK_OVERHEAD = 12
_UNMETERED_BYTES = 1 << 14  # of pixels; the slowest deflate stream of so many takes 2 ms
_BLANK_SPARE_BYTES = 200
_NEAR = [bytes(range(max(0, level - 16), min(256, level + 17))) for level in range(256)]
_OPEN_S, _RAW_BYTE_S = 10e-6, 6e-9


class FastPng:
    """The fast decoder for the input of one model.

    Args:
        target: the input that the model needs.

    Attributes:
        estimate_s: CPU time, in seconds, of decoding such a file, on the reference core of
            :func:`imaging.meter.slowness`.
    """

    def __init__(self, target: Target) -> None:
        height, width, channels = target.shape
        header = _IHDR.pack(13, b"IHDR", width, height, 8, _COLOR_TYPES[target.color_mode], 0, 0, 0)
        self._prefix = _SIGNATURE + header
        self._size = height, width
        self._mode = _KORNIA_MODES[target.color_mode]
        self._target = target
        self._raw_bytes = height * (1 + width * channels)
        self.estimate_s = _OPEN_S + self._raw_bytes * _RAW_BYTE_S
        self._blank_bytes = self._raw_bytes // 2 + _BLANK_SPARE_BYTES
        self._most_bytes = self._raw_bytes + (self._raw_bytes >> 6) + PNG_SPARE_BYTES
        # A picture that is resized or cropped even at its target's size cannot be decoded here.
        self._is_open = decode_png is not None and target.is_met_by(width, height)

    def takes(self, data: bytes) -> bool:
        """Whether a file is such a picture: of this size and colour mode, with no chunk that changes its meaning.

        Such files are so short that their headers limit the decoding time.
        """
        return self._is_open and data.startswith(self._prefix) and len(data) <= self._most_bytes and _is_plain(data)

    def decode(self, data: bytes, seen: list[Observation] | None = None) -> NDArray[np.uint8] | None:
        """Decodes a file that :meth:`takes` takes.

        Args:
            data: the whole file.
            seen: an observation is added to it where there is one.

        Returns:
            uint8 [H, W, C], or None where Pillow has to decode it.

        Raises:
            TooSlowError: its pixels take far longer to inflate than usual for their number of bytes.
        """
        if self._raw_bytes > _UNMETERED_BYTES and not self._is_quick(data):
            return None
        try:
            pixels: NDArray[np.uint8] = decode_png(data, self._size, self._mode)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException:  # noqa: BLE001  a panic in Rust is not an Exception; Pillow then decodes or raises
            return None
        if not self._target.light_on_dark:
            # Pixels within 16 levels compress to half a byte at most, unless they are stored uncompressed.
            if not self._blank_bytes < len(data) <= self._raw_bytes and seen is not None and is_blank(pixels):
                seen.append(observe_small(self._target, is_blank=True))
            return pixels
        stored = pixels.tobytes()
        grey = invert_if_light(stored, self._target.width)
        light = np.frombuffer(grey, np.uint8).reshape(self._target.shape)
        if seen is not None and (grey is not stored or not grey.lstrip(_NEAR[grey[0]])):
            has_nothing = is_blank(light)
            if grey is not stored or has_nothing:
                seen.append(observe_small(self._target, is_inverted=grey is not stored, is_blank=has_nothing))
        return light

    def _is_quick(self, data: bytes) -> bool:
        """Inflates the pixels first in a way that can be ended, because kornia-rs cannot be interrupted."""
        pixels, offset = [], _FIRST_CHUNK
        while offset + _CHUNK.size <= len(data):
            length, kind = _CHUNK.unpack_from(data, offset)
            if kind == b"IDAT":
                pixels.append(data[offset + 8 : offset + 8 + length])
            offset += length + _CHUNK_OVERHEAD
        try:
            inflate(b"".join(pixels), self._raw_bytes)
        except TooSlowError:
            raise
        except UnreadableError:
            return False
        return True


@lru_cache(maxsize=64)
def fast_png(target: Target) -> FastPng:
    """The fast decoder for a model's input; cached by input."""
    return FastPng(target)


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
