"""Observations about a picture that are made while it is decoded and resized, such as a rotation by its orientation."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imaging.target import Target

Box = tuple[float, float, float, float]
"""(left, top, right, bottom) in pixels of the picture after rotation by its orientation."""

_BLANK_LEVELS = 16
_FEW_PIXELS = 32


class Observation(NamedTuple):
    """What was done to one picture, and what was found in it.

    Attributes:
        target: the input that the model needs.
        width: of the picture after rotation by its orientation, in pixels.
        height: of that picture, in pixels.
        box: the part of it that the network gets.
        orientation: as the file declares it, numbered as in EXIF; 1 where the picture was not rotated.
        has_profile: whether an embedded colour profile was applied.
        is_transparent: whether a part was transparent, and was put on white.
        is_inverted: whether dark strokes on a light ground were inverted.
        is_blank: whether, in each channel, no two pixels of the network's input, without what is padded, differ by more
            than 16 of 255 levels.
        place: its index in its request.
    """

    target: Target
    width: int
    height: int
    box: Box
    orientation: int = 1
    has_profile: bool = False
    is_transparent: bool = False
    is_inverted: bool = False
    is_blank: bool = False
    place: int = 0


def observe_small(target: Target, *, is_inverted: bool = False, is_blank: bool = False) -> Observation:
    """The observation about a picture that has the size and mode of the model's input."""
    height, width, _ = target.shape
    box = (0.0, 0.0, float(width), float(height))
    return Observation(target, width, height, box, is_inverted=is_inverted, is_blank=is_blank)


def is_blank(pixels: NDArray[np.uint8]) -> bool:
    """Whether a picture is almost uniform; a single pixel never counts as blank.

    Args:
        pixels: uint8 [h, w, C], before it is padded.
    """
    channel = pixels[..., 0].reshape(-1)
    if channel.size <= 1:
        return False
    some = channel[:: -(-channel.size // _FEW_PIXELS)].tobytes()
    if max(some) - min(some) > _BLANK_LEVELS:  # this is so for nearly every picture
        return False
    # One axis after the other takes a fortieth of the time of both at once.
    levels = pixels.max(axis=0).max(axis=0) - pixels.min(axis=0).min(axis=0)
    return bool((levels <= _BLANK_LEVELS).all())


def is_transparent(picture: Image.Image) -> bool:
    """Whether some pixel of a picture is not opaque.

    Args:
        picture: in mode RGB, RGBA, RGBa, L, LA or La.
    """
    if picture.mode not in {"RGBA", "RGBa", "LA", "La"}:
        return False
    least, _ = picture.getchannel(len(picture.getbands()) - 1).getextrema()
    return isinstance(least, int) and least < 255


def seen_box(width: int, height: int, target: Target) -> Box:
    """The part of a picture that :func:`imaging.fit.resize` keeps.

    Args:
        width: of the picture after rotation by its orientation, in pixels.
        height: of that picture, in pixels.
        target: the input that the model needs.
    """
    if target.fit == "stretch":
        share = target.crop_fraction
        left, top = width * (1 - share) / 2, height * (1 - share) / 2
        return left, top, width - left, height - top
    if target.fit == "contain":
        return 0.0, 0.0, float(width), float(height)
    scale = min(width / target.width, height / target.height) * target.crop_fraction
    if target.fit == "shortest-edge":
        scale = min(width, height) / target.edge
    across, down = min(target.width * scale, width), min(target.height * scale, height)
    left, top = (width - across) / 2, (height - down) / 2
    return left, top, left + across, top + down
