"""Converts pictures with an embedded colour profile (ICC.1) to sRGB.

Networks are trained on sRGB, or on pictures whose profiles were ignored, most of which are sRGB too. Phones often write
Display P3, and cameras Adobe RGB: read as sRGB, such pixels have paler colours than the photographed ones. The profile
is applied after resizing, so only to as many pixels as the network takes.
"""

from collections import OrderedDict
from contextlib import suppress
from io import BytesIO

import numpy as np
from PIL import Image, ImageCms

_MOST_BYTES = 2 << 20  # printers' profiles have half as many
_KEPT = 16
_SAME = 2  # levels of 255; a profile that differs less from sRGB counts as sRGB
_SPACE = slice(16, 20)  # the colour space in a profile's header
_MODES = {b"RGB ": "RGB", b"GRAY": "L", b"CMYK": "CMYK"}
_DIRECTORY_BYTES = 1024  # longer than the header and tag table of any usual profile
_TABLE_TAG = b"A2B0"  # in profiles that have a lookup table beside a matrix and curves
_BUILD_S = {"RGB": 4e-3, "L": 1e-3, "CMYK": 40e-3}  # to make a transform; LittleCMS computes a table for it
_BUILD_TABLE_S = 20e-3  # the same for an RGB profile with a table
_GREY_MODES = frozenset(("1", "L", "LA", "La", "I;16", "I;16B"))
_SRGB = ImageCms.createProfile("sRGB")

ColorTransform = ImageCms.ImageCmsTransform
"""Converts a picture's pixels to sRGB."""


def transform_of(picture: Image.Image) -> ColorTransform | None:
    """The transform from a picture's colour profile to sRGB.

    Args:
        picture: in any mode; its profile is in ``info``.

    Returns:
        The transform; None where the profile is missing, broken, for another kind of picture, or sRGB.
    """
    profile = picture.info.get("icc_profile")
    if not isinstance(profile, bytes) or len(profile) > _MOST_BYTES:
        return None
    mode = _MODES.get(profile[_SPACE])
    is_grey = picture.mode in _GREY_MODES
    if mode is None or (mode == "CMYK") != (picture.mode == "CMYK") or (mode == "L" and not is_grey):
        return None
    return _TRANSFORMS.of(profile, mode)


def build_s(profile: bytes) -> float:
    """CPU time, in seconds, of making a profile's transform for the first time.

    Args:
        profile: of a file; empty where it has none.
    """
    mode = _MODES.get(profile[_SPACE])
    if mode is None or len(profile) > _MOST_BYTES:
        return 0.0
    has_table = mode == "RGB" and _TABLE_TAG in profile[:_DIRECTORY_BYTES]
    return _BUILD_TABLE_S if has_table else _BUILD_S[mode]


def is_known(profile: bytes) -> bool:
    """Whether this process has made a profile's transform already."""
    return profile in _TRANSFORMS


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


def changes_nothing(profile: bytes) -> bool:
    """Whether a profile is known to be one of sRGB, or a broken one."""
    return _TRANSFORMS.changes_nothing(profile)


class _Transforms:
    """The transforms of the latest profiles. Each operation on the mapping is atomic, so threads need no lock.

    Args:
        most: how many are kept.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[bytes, ColorTransform | None] = OrderedDict()

    def __contains__(self, profile: bytes) -> bool:
        return profile in self._kept

    def changes_nothing(self, profile: bytes) -> bool:
        """Whether a profile is known and has no transform."""
        return self._kept.get(profile, False) is None

    def of(self, profile: bytes, mode: str) -> ColorTransform | None:
        """The transform from a mode to sRGB; None where it would change nothing, or the profile is broken."""
        try:
            transform = self._kept[profile]
            self._kept.move_to_end(profile)
        except KeyError:
            transform = self._kept[profile] = _build(profile, mode)
            if len(self._kept) > self._most:
                with suppress(KeyError):
                    self._kept.popitem(last=False)
        return transform


def _build(profile: bytes, mode: str) -> ColorTransform | None:
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        transform = ImageCms.buildTransform(source, _SRGB, mode, "RGB")
        return None if _is_srgb(transform) else transform
    except (ImageCms.PyCMSError, OSError, ValueError):  # the profile is broken, but the pixels are valid
        return None


def _is_srgb(transform: ColorTransform) -> bool:
    if transform.input_mode == "CMYK":
        return False
    levels = np.arange(0, 256, 17).astype(np.uint8)
    colors = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(16, 256, 3)
    picture = Image.fromarray(colors).convert(transform.input_mode)
    converted = np.asarray(transform.apply(picture)).astype(np.int16)
    return bool(np.abs(converted - np.asarray(picture.convert("RGB"))).max() <= _SAME)


_TRANSFORMS = _Transforms(_KEPT)
