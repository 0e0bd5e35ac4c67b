"""The quick way for the commonest JPEG: one sequential scan, and neither EXIF nor a colour profile.

simplejpeg calls the library that Pillow calls, libjpeg-turbo, with the same settings, and so makes the same pixels; but
nothing is parsed in Python, and the pixels do not come line by line. It is optional, and whatever it warns of is
Pillow's to decode.
"""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from PIL import Image

from imaging.header import Header
from imaging.target import Target

try:
    from simplejpeg import decode_jpeg
except ImportError:  # it is optional
    decode_jpeg = None

_COLOR_SPACES: Mapping[str, str] = MappingProxyType({"RGB": "RGB", "L": "GRAY"})
_TOLD_APART = 8  # pixels, from which on the sizes at two of libjpeg's eighths differ


def decode_plain(data: bytes, header: Header, target: Target) -> Image.Image | None:
    """Decodes a whole file that needs nothing but its pixels; None where Pillow has to.

    Args:
        data: of a JPEG, up to its end marker.
        header: what it says.
        target: what the model wants.
    """
    if decode_jpeg is None or not header.plain_mode or max(header.width, header.height) < _TOLD_APART:
        return None
    reduction = header.reduction(target)
    size = width, height = -(-header.width // reduction), -(-header.height // reduction)
    # As Pillow's draft does: only a reduced picture is read as grey, where that is what the model wants.
    mode = "L" if reduction > 1 and target.color_mode == "L" else header.plain_mode
    # A buffer of the size that was announced, so that no file is decoded into more memory.
    room = np.empty((height, width, 3 if mode == "RGB" else 1), np.uint8)
    try:
        pixels = decode_jpeg(data, _COLOR_SPACES[mode], min_height=height, min_width=width, buffer=room)
    except ValueError:  # broken, or something to warn of: Pillow says what, or forgives
        return None
    if pixels.shape[:2] != (height, width):
        return None
    return Image.frombuffer(mode, size, pixels, "raw", mode, 0, 1)
