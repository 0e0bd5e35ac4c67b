"""The resize rules of the contract: how a picture of any shape becomes the one that the network takes."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imaging.target import Target

_FILTER = Image.Resampling.BILINEAR  # antialiased: Pillow widens the filter when it shrinks
_REDUCING_GAP = 2.0
_DARK = bytes(range(128))
_INVERTED = bytes(range(255, -1, -1))


def resize(picture: Image.Image, target: Target) -> Image.Image:
    """Scales a picture as the target's ``fit`` says.

    Args:
        picture: of any size, in mode RGB, RGBA, L or LA.
        target: what the model wants.

    Returns:
        The picture at the target's size; with ``contain``, at most that size.
    """
    width, height = picture.size
    if (width, height) == (target.width, target.height):
        return picture
    size = target.width, target.height
    box = (0.0, 0.0, float(width), float(height))
    if target.fit == "cover":
        scale = min(width / target.width, height / target.height)
        left, top = (width - target.width * scale) / 2, (height - target.height * scale) / 2
        box = (left, top, left + target.width * scale, top + target.height * scale)
    elif target.fit == "contain":
        scale = max(width / target.width, height / target.height)
        size = max(1, round(width / scale)), max(1, round(height / scale))
    return picture.resize(size, _FILTER, box=box, reducing_gap=_REDUCING_GAP)


def invert_if_light(pixels: bytes, width: int) -> bytes:
    """Inverts dark strokes on a light ground: where more than half of the border is lighter than mid-grey.

    Args:
        pixels: grey, 8 bits, row by row.
        width: of a row.

    Returns:
        As many pixels, on a dark ground.
    """
    border = pixels[:width] + pixels[-width:] + pixels[::width] + pixels[width - 1 :: width]
    light = border.translate(None, _DARK)
    return pixels.translate(_INVERTED) if 2 * len(light) > len(border) else pixels


def pad(pixels: NDArray[np.uint8], target: Target) -> NDArray[np.uint8]:
    """Centres a picture on black.

    Args:
        pixels: uint8 [h, w, C], no larger than the target.
        target: what the model wants.

    Returns:
        uint8 [H, W, C].
    """
    height, width, _ = pixels.shape
    if pixels.shape == target.shape:
        return pixels
    ground = np.zeros(target.shape, np.uint8)
    top, left = (target.height - height) // 2, (target.width - width) // 2
    ground[top : top + height, left : left + width] = pixels
    return ground
