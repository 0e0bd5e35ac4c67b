"""One picture in any mode, turned upright and made plain: RGB or grey, 8 bits, no alpha, no palette."""

import numpy as np
from PIL import Image, ImageOps
from PIL.ImageFile import ImageFile

from imaging.errors import UnreadableError
from imaging.formats import load
from imaging.target import Target

_ORIENTATION_KEYS = ("exif", "xmp", "Raw profile type exif", "XML:com.adobe.xmp")
_DRAFT_GAP = 2  # a JPEG is decoded no smaller than twice the target: as `reducing_gap=2.0`, the resize stays smooth


def upright(picture: ImageFile, target: Target) -> Image.Image:
    """Decodes a picture and turns it as its EXIF orientation says.

    A JPEG many times larger than the target is decoded at 1/2, 1/4 or 1/8 of its size, which its codec does for free.

    Args:
        picture: opened, limits checked, not yet decoded.
        target: what the model wants.

    Returns:
        The picture, decoded, in whatever mode its file has.

    Raises:
        UnreadableError: the pixel data is truncated or broken.
    """
    side = _DRAFT_GAP * max(target.height, target.width, target.edge)
    if target.is_reduced and picture.format == "JPEG" and min(picture.size) >= 2 * side:
        picture.draft(target.color_mode, (side, side))
    load(picture)
    info = picture.info
    if target.exif and any(key in info for key in _ORIENTATION_KEYS):
        try:
            return ImageOps.exif_transpose(picture)
        except Exception:  # noqa: BLE001  broken EXIF can raise anything; the pixels are sound
            return picture
    return picture


def plain(picture: Image.Image, target: Target) -> Image.Image:
    """Converts any mode to the target's, or to it with alpha, which :func:`flatten` removes after resizing.

    Args:
        picture: decoded, in any mode.
        target: what the model wants.

    Returns:
        The picture in mode RGB, RGBA, L or LA.

    Raises:
        UnreadableError: its pixels are floating-point numbers, whose range nobody declares.
    """
    mode = picture.mode
    if mode == target.color_mode and "transparency" not in picture.info:
        return picture
    if mode.startswith("I"):
        deep = np.asarray(picture)
        return Image.fromarray((np.clip(deep, 0, 65535) >> 8).astype(np.uint8)).convert(target.color_mode)
    if mode == "F":
        raise UnreadableError("its pixels are floating-point numbers; send 8 or 16 bits a channel")
    if picture.has_transparency_data:
        return picture.convert("RGBA")
    if mode == "LAB":  # which Pillow turns into RGB only
        picture = picture.convert("RGB")
    return picture.convert(target.color_mode)


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
