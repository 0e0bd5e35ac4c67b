"""One picture in any of Pillow's modes made plain: RGB or grey, 8 bits, no palette, and at the end no alpha."""

import numpy as np
from PIL import Image

from imaging.errors import UnreadableError
from imaging.target import Target

_DEEP = frozenset(("I;16", "I;16B"))


def plain(picture: Image.Image, target: Target, *, keeps_colors: bool = False) -> Image.Image:
    """Converts any mode to the target's, or to it with alpha, which :func:`flatten` removes after resizing.

    Args:
        picture: decoded, in any mode.
        target: what the model wants.
        keeps_colors: leave grey, colour and CMYK what they are: a colour profile will be applied to them.

    Returns:
        The picture in mode RGB, RGBA, L, LA or CMYK.

    Raises:
        UnreadableError: its pixels are numbers whose range nobody declares.
    """
    mode = picture.mode
    if mode == "RGBA" or (mode == target.color_mode and "transparency" not in picture.info):
        return picture
    if mode in _DEEP:
        picture = Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
        return picture if keeps_colors else picture.convert(target.color_mode)
    if mode in {"I", "F"}:
        raise UnreadableError("its pixels have no declared range; send 8 or 16 bits a channel")
    if mode == "LA" or (mode == "La" and keeps_colors):
        return picture.convert("LA" if keeps_colors else "RGBA")
    if picture.has_transparency_data:
        return picture.convert("RGBA")
    if mode == "LAB":  # which Pillow turns into RGB only
        picture = picture.convert("RGB")
    if not keeps_colors:
        return picture.convert(target.color_mode)
    return picture if mode in {"L", "CMYK"} else picture.convert("L" if mode == "1" else "RGB")


def flatten(picture: Image.Image, target: Target) -> Image.Image:
    """Lays a transparent picture on white, the ground that browsers and paper give it.

    Args:
        picture: in mode RGB, RGBA, L or LA.
        target: what the model wants.

    Returns:
        The picture in the target's mode.
    """
    if picture.mode == target.color_mode:
        return picture
    if picture.mode == "RGBA":
        ground = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(ground, picture)
    return picture.convert(target.color_mode)
