"""Converts a picture in any of Pillow's modes to RGB or grey in 8 bits, without palette and, at the end, without alpha.

Alpha is multiplied into the colours before the resize, and the white background is added after it. The result is the
same as putting the picture on white first, but needs no second picture of full size.
"""

import numpy as np
from PIL import Image, ImageChops

from imaging.errors import UnreadableError
from imaging.target import Target

_DEEP = frozenset(("I;16", "I;16B"))


def plain(picture: Image.Image, target: Target, *, keeps_colors: bool = False) -> Image.Image:
    """Converts any mode to the target's, or to one with alpha, which :func:`flatten` removes after resizing.

    Args:
        picture: decoded, in any mode.
        target: the input that the model needs.
        keeps_colors: whether a colour profile will be applied, so that grey, colour and CMYK are not converted, and
            alpha stays a separate channel.

    Returns:
        The picture in mode RGB, L, RGBA, or, before a resize, RGBa or La; with ``keeps_colors``, RGB, RGBA, L, LA or
        CMYK.

    Raises:
        UnreadableError: the range of its pixel values is not declared.
    """
    mode = picture.mode
    if mode == target.color_mode and "transparency" not in picture.info:
        return picture
    if mode in {"I", "F"}:
        raise UnreadableError("its pixels have no declared range; send 8 or 16 bits a channel")
    if mode in _DEEP:
        picture = Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
    elif mode == "LAB":  # Pillow converts it to RGB only
        picture = picture.convert("RGB")
    return _kept(picture) if keeps_colors else _plain(picture, target)


def _plain(picture: Image.Image, target: Target) -> Image.Image:
    if not picture.has_transparency_data:
        return picture.convert(target.color_mode)
    is_met = target.is_met_by(*picture.size)
    if picture.mode == "LA" and not is_met:
        return picture.convert("La")
    if picture.mode not in {"RGBa", "RGBA"}:
        picture = picture.convert("RGBA")
    return picture if is_met else picture.convert("RGBa")


def _kept(picture: Image.Image) -> Image.Image:
    if picture.mode in {"L", "LA", "RGB", "RGBA", "CMYK"} and "transparency" not in picture.info:
        return picture
    if picture.has_transparency_data:
        return picture.convert("LA" if picture.mode in {"L", "La"} else "RGBA")
    return picture.convert("L" if picture.mode == "1" else "RGB")


def flatten(picture: Image.Image, target: Target) -> Image.Image:
    """Puts a transparent picture on white, the usual background of browsers and paper.

    Args:
        picture: in mode RGB, RGBA, RGBa, L, LA or La.
        target: the input that the model needs.

    Returns:
        The picture in the target's mode.
    """
    if picture.mode == target.color_mode:
        return picture
    if picture.mode == "RGBA":
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    elif picture.mode in {"RGBa", "La"}:
        *colors, alpha = picture.split()
        rest = ImageChops.invert(alpha)
        # Added with saturation: filters with negative weights make colours that are stronger than their alpha.
        picture = Image.merge(picture.mode[:-1], [ImageChops.add(color, rest) for color in colors])
    return picture.convert(target.color_mode)
