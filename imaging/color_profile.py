"""Embedded colour profiles (ICC.1): what a picture's numbers mean, where it is not what screens take them for.

Networks learn from sRGB, or from pictures whose profiles nobody looked at, most of which are sRGB too. A picture from a
phone is often Display P3, and one from a camera Adobe RGB: its numbers make paler colours than were photographed. Its
profile is applied after resizing, to as many pixels as the network takes.
"""

from functools import lru_cache
from io import BytesIO

import numpy as np
from PIL import Image, ImageCms

_MOST_BYTES = 2 << 20  # printers' profiles have half of it
_CACHED = 16
_SAME = 2  # levels of 255 by which a profile may differ from sRGB and count as it
_SPACE = slice(16, 20)  # of a profile's header
_MODES = {b"RGB ": "RGB", b"GRAY": "L", b"CMYK": "CMYK"}
_GREY_MODES = frozenset(("1", "L", "LA", "La", "I;16", "I;16B"))
_SRGB = ImageCms.createProfile("sRGB")

ColorTransform = ImageCms.ImageCmsTransform
"""From a picture's numbers to sRGB's."""


def transform_of(picture: Image.Image) -> ColorTransform | None:
    """What a picture's profile does to its colours.

    Args:
        picture: in any mode, with what its file says in ``info``.

    Returns:
        The transform; None where there is no profile, a broken one, one of another kind of picture, or one of sRGB.
    """
    profile = picture.info.get("icc_profile")
    if not isinstance(profile, bytes) or len(profile) > _MOST_BYTES:
        return None
    mode = _MODES.get(profile[_SPACE])
    is_grey = picture.mode in _GREY_MODES
    if mode is None or (mode == "CMYK") != (picture.mode == "CMYK") or (mode == "L" and not is_grey):
        return None
    return _transform(profile, mode)


def to_srgb(picture: Image.Image, transform: ColorTransform) -> Image.Image:
    """Applies a profile.

    Args:
        picture: in mode RGB, RGBA, L, LA or CMYK.
        transform: of the picture's own profile.

    Returns:
        The picture in mode RGB, or RGBA where it has an alpha channel.
    """
    alpha = picture.getchannel("A") if picture.mode in {"RGBA", "LA"} else None
    converted = transform.apply(picture.convert(transform.input_mode))
    if alpha is not None:
        converted.putalpha(alpha)
    return converted


@lru_cache(_CACHED)
def _transform(profile: bytes, mode: str) -> ColorTransform | None:
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        transform = ImageCms.buildTransform(source, _SRGB, mode, "RGB")
        return None if _is_srgb(transform) else transform
    except (ImageCms.PyCMSError, OSError, ValueError):  # it is broken; the pixels are sound
        return None


def _is_srgb(transform: ColorTransform) -> bool:
    if transform.input_mode == "CMYK":
        return False
    levels = np.arange(0, 256, 17).astype(np.uint8)
    colors = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(16, 256, 3)
    picture = Image.fromarray(colors).convert(transform.input_mode)
    converted = np.asarray(transform.apply(picture)).astype(np.int16)
    return bool(np.abs(converted - np.asarray(picture.convert("RGB"))).max() <= _SAME)
