"""The front of the package: the bytes of one picture file in, the pixels that a model takes out."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from imaging.color_profile import to_srgb, transform_of
from imaging.fast_png import fast_png_decoder
from imaging.fit import invert_if_light, pad, resize
from imaging.formats import FORMATS
from imaging.formats.codec import Reading
from imaging.formats.orientation import orientation_of, turned
from imaging.header import Header, Limits
from imaging.picture import flatten, plain
from imaging.signature import kind_of
from imaging.target import Target

Admit = Callable[[Header, Target], None]
"""Decides, by what its header says, whether a picture is decoded for a target; raises where it is not."""

_DEFAULT_LIMITS = Limits()


def read(data: bytes, target: Target, admit: Admit = _DEFAULT_LIMITS.check) -> NDArray[np.uint8]:
    """Reads a picture of any size and format as a model takes it.

    Args:
        data: the whole file.
        target: what the model wants.
        admit: called before any pixel is decoded, but for a small PNG that already is what the model takes.

    Returns:
        uint8 [H, W, C].

    Raises:
        UnreadableError: it is not a picture in a known format, or a damaged one.
        TooManyPixelsError: it has more pixels than the default of ``admit`` allows.
    """
    known = fast_png_decoder(target)(data)
    if known is not None:
        return known
    kind = kind_of(data)
    header = FORMATS[kind].read_header(data)
    admit(header, target)
    with Reading("its pixels cannot be used"):
        return _read(data, header, target)


def _read(data: bytes, header: Header, target: Target) -> NDArray[np.uint8]:
    picture = FORMATS[header.kind].decode(data, header, target)
    transform = transform_of(picture) if target.icc else None
    if target.exif:
        picture = turned(picture, orientation_of(picture.info))
    picture = resize(plain(picture, target, keeps_colors=transform is not None), target)
    if transform is not None:
        picture = to_srgb(picture, transform)
    picture = flatten(picture, target)
    pixels = picture.tobytes()
    if target.light_on_dark:
        pixels = invert_if_light(pixels, picture.width)
    _, _, channels = target.shape
    return pad(np.frombuffer(pixels, np.uint8).reshape(picture.height, picture.width, channels), target)
