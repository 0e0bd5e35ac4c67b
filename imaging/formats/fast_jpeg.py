"""The fast decoder for the most frequent kind of JPEG: one sequential scan, without EXIF and colour profile.

simplejpeg calls the same library as Pillow, libjpeg-turbo, with the same settings, so it makes the same pixels. It is
faster because nothing is parsed in Python, and the pixels are not copied line by line. It is optional. Pillow decodes
the files of which it warns.
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
_TOLD_APART = 8  # pixels; in smaller pictures, two of libjpeg's scales n/8 can give the same size


def decode_plain(data: bytes, header: Header, target: Target) -> Image.Image | None:
    """Decodes a whole file without EXIF and colour profile; returns None where Pillow has to decode it.

    Args:
        data: of a JPEG, up to its end marker.
        header: of the file.
        target: the input that the model needs.
    """
    if decode_jpeg is None or not header.plain_mode or max(header.width, header.height) < _TOLD_APART:
        return None
    size = width, height = header.decoded_size(target)
    # As Pillow's draft mode: only a reduced picture is decoded as grey, for a model that takes grey.
    mode = "L" if header.reduction(target) > 1 and target.color_mode == "L" else header.plain_mode
    # A buffer of the size in the header, so that no file can take more memory.
    room = np.empty((height, width, 3 if mode == "RGB" else 1), np.uint8)
    try:
        pixels = decode_jpeg(data, _COLOR_SPACES[mode], min_height=height, min_width=width, buffer=room)
    except ValueError:  # an error or a warning; Pillow then decodes the file or raises
        return None
    if pixels.shape[:2] != (height, width):
        return None
    return Image.frombuffer(mode, size, pixels, "raw", mode, 0, 1)
