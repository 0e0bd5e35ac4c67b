"""Embedded colour profiles (ICC.1): what a picture's numbers mean, where it is not what screens take them for.

Networks learn from sRGB, or from pictures whose profiles nobody looked at, most of which are sRGB too. A picture from a
phone is often Display P3, and one from a camera Adobe RGB: its numbers make paler colours than were photographed. Its
profile is applied after resizing, to as many pixels as the network takes.
"""

from collections import OrderedDict
from contextlib import suppress
from io import BytesIO

import numpy as np
from PIL import Image, ImageCms

_MOST_BYTES = 2 << 20  # printers' profiles have half of it
_KEPT = 16
_SAME = 2  # levels of 255 by which a profile may differ from sRGB and count as it
_SPACE = slice(16, 20)  # of a profile's header
_MODES = {b"RGB ": "RGB", b"GRAY": "L", b"CMYK": "CMYK"}
_DIRECTORY_BYTES = 1024  # more than the header and the tags' places of any usual profile
_TABLE_TAG = b"A2B0"  # of a profile that is more than a matrix and curves
_BUILD_S = {"RGB": 4e-3, "L": 1e-3, "CMYK": 40e-3}  # of a transform; LittleCMS computes a table of its own
_BUILD_TABLE_S = 20e-3  # the same of an RGB profile with a table
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
    return _TRANSFORMS.of(profile, mode)


def build_s(profile: bytes) -> float:
    """CPU time, in seconds, of making a profile's transform for the first time.

    Args:
        profile: that a file has; empty where it has none.
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
    """The transforms of the profiles that came last. Each operation on the mapping is whole, whatever other threads do.

    Args:
        most: how many are kept.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[bytes, ColorTransform | None] = OrderedDict()

    def __contains__(self, profile: bytes) -> bool:
        return profile in self._kept

    def changes_nothing(self, profile: bytes) -> bool:
        """Whether a profile was tried and has no transform."""
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


_TRANSFORMS = _Transforms(_KEPT)
