"""The front of the package: the bytes of one picture file in, the pixels that a model takes out."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from imaging.fast_png import fast_png_decoder
from imaging.fit import invert_if_light, pad, resize
from imaging.formats import open_picture
from imaging.header import Header, Limits
from imaging.picture import flatten, plain, upright
from imaging.target import Target

_DEFAULT_LIMITS = Limits()


def read(data: bytes, target: Target, admit: Callable[[Header], None] = _DEFAULT_LIMITS.check) -> NDArray[np.uint8]:
    """Reads a picture of any size and format as a model takes it.

    Args:
        data: the whole file.
        target: what the model wants.
        admit: called with what the header says, before any pixel is decoded; raises where the picture is not to be
            decoded. It is not called for a small PNG that already is what the model takes.

    Returns:
        uint8 [H, W, C].

    Raises:
        UnreadableError: it is not a picture in a known format, or a damaged one.
        TooManyPixelsError: it has more pixels than the default of ``admit`` allows.
    """
    known = fast_png_decoder(target)(data)
    if known is not None:
        return known
    file = open_picture(data)
    width, height = file.size
    admit(Header(file.format or "", width, height))
    picture = flatten(resize(plain(upright(file, target), target), target), target)
    pixels = picture.tobytes()
    if target.light_on_dark:
        pixels = invert_if_light(pixels, picture.width)
    _, _, channels = target.shape
    return pad(np.frombuffer(pixels, np.uint8).reshape(picture.height, picture.width, channels), target)
