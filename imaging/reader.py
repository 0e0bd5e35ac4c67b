"""The main functions of the package: from the bytes of one picture file to the pixels that a model takes."""

from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from imaging.bounds import Cost, measure
from imaging.color_profile import build_s, is_known, to_srgb, transform_of
from imaging.errors import UnreadableError
from imaging.fast_png import fast_png
from imaging.fit import invert_if_light, pad, resize, without_bars
from imaging.formats import FORMATS, heif
from imaging.formats.codec import Reading
from imaging.formats.orientation import APPLIED, orientation_of, turned
from imaging.header import Header, Limits
from imaging.meter import Meter, slowness
from imaging.observation import Observation, is_blank, is_transparent, seen_box
from imaging.picture import flatten, plain
from imaging.signature import kind_of
from imaging.strokes import center_strokes, reduce_strokes
from imaging.target import Target

Admit = Callable[[Header, Target], None]
"""Decides from a picture's header whether it is decoded for a target; raises an error where it is not."""

_DEFAULT_LIMITS = Limits()
_ON_ITS_SIDE = 5
"""For this orientation and higher ones, width and height are exchanged."""


class Examined(NamedTuple):
    """A picture file whose headers were read.

    Attributes:
        header: the content of the headers.
        cost: the cost of decoding it.
    """

    header: Header
    cost: Cost

    def estimate_s(self, target: Target, *, is_apart: bool = False) -> float:
        """CPU time, in seconds, of :func:`decode`, on the reference core of :func:`imaging.meter.slowness`.

        Args:
            target: the input that the model needs.
            is_apart: whether it runs in another process, which may have to build the colour profile's transform.
        """
        short_way = fast_png(target)
        if short_way.takes(self.cost.data):
            return short_way.estimate_s
        estimate_s, profile = self.cost.estimate_s(self.header, target), self.cost.profile
        if profile and target.icc and (is_apart or not is_known(profile)):
            estimate_s += build_s(profile)
        return estimate_s


def prepare() -> None:
    """Measures the core's speed, and imports the decoder of HEIC where it is installed.

    The first :func:`decode` of a process would do this otherwise, and take several times as long as for other pictures.
    """
    slowness()
    with suppress(UnreadableError):
        heif.decoder()


def read(data: bytes, target: Target, admit: Admit = _DEFAULT_LIMITS.check) -> NDArray[np.uint8]:
    """Decodes a picture of any size and format to the input of a model.

    Args:
        data: the whole file.
        target: the input that the model needs.
        admit: called before any pixel is decoded.

    Returns:
        uint8 [H, W, C].

    Raises:
        UnreadableError: it is not a picture in a known format, or a damaged one.
        TooManyPixelsError: it has more pixels than the default ``admit`` allows.
    """
    examined = examine(data)
    admit(examined.header, target)
    return decode(examined, target)


def examine(data: bytes) -> Examined:
    """Reads a picture file's headers, without decoding any pixel.

    Args:
        data: the whole file.

    Raises:
        UnreadableError: it is not a picture in a known format, its headers are broken, or they ask for more work than
            any encoder does.
    """
    with Reading("its header is broken"):
        kind = kind_of(data)
        cost = measure(kind, data)
        header = FORMATS[kind].read_header(cost.data)
    if header.width < 1 or header.height < 1:
        raise UnreadableError("its header is broken (it declares no pixels)")
    return Examined(header, cost)


def decode(examined: Examined, target: Target, seen: list[Observation] | None = None) -> NDArray[np.uint8]:
    """Decodes a picture whose headers were read to the input of a model.

    Args:
        examined: from :func:`examine`.
        target: the input that the model needs.
        seen: an observation is added to it; the fast PNG decoder adds none where there is nothing to report.

    Returns:
        uint8 [H, W, C].

    Raises:
        UnreadableError: it is damaged, or decoding took far longer than its headers let expect.
    """
    header, cost = examined
    short_way = fast_png(target)
    if short_way.takes(cost.data) and (known := short_way.decode(cost.data, seen)) is not None:
        return known
    if header.kind != "JPEG":  # JPEG's codec gets the whole file at once, and its scans are counted
        header = header._replace(meter=Meter(cost.estimate_s(header, target)))
    with Reading("its pixels cannot be used"):
        return _read(cost.data, header, target, seen)


def _read(data: bytes, header: Header, target: Target, seen: list[Observation] | None) -> NDArray[np.uint8]:
    picture = FORMATS[header.kind].decode(data, header, target)
    transform = transform_of(picture) if target.icc else None
    orientation, applied = orientation_of(picture.info) if target.exif else 1, picture.info.get(APPLIED, 1)
    # A JPEG is measured at its full size, also where it was decoded at a reduced one.
    width, height = (header.width, header.height) if header.reduction(target) > 1 else picture.size
    if orientation >= _ON_ITS_SIDE:
        width, height = height, width
    picture = turned(picture, orientation)
    picture = plain(picture, target, keeps_colors=transform is not None)
    picture = reduce_strokes(picture) if target.centers_strokes else resize(picture, target)
    if transform is not None:
        picture = to_srgb(picture, transform)
    has_alpha = seen is not None and is_transparent(picture)
    picture = flatten(picture, target)
    box = seen_box(width, height, target)
    if target.centers_strokes:
        across, down = width / picture.width, height / picture.height
        cut, region, is_inverted = center_strokes(picture, target)
        if region is not None:
            box = region[0] * across, region[1] * down, region[2] * across, region[3] * down
    else:
        pixels = picture.tobytes()
        upright = invert_if_light(pixels, picture.width) if target.light_on_dark else pixels
        is_inverted = upright is not pixels
        cut = np.frombuffer(upright, np.uint8).reshape(picture.height, picture.width, target.shape[2])
    if seen is not None:
        has_profile, has_nothing = transform is not None, is_blank(without_bars(cut, width, height, target))
        seen.append(
            Observation(
                target,
                width,
                height,
                box,
                max(orientation, applied),  # at least one of them is 1
                has_profile,
                has_alpha,
                is_inverted=is_inverted,
                is_blank=has_nothing,
            )
        )
    return pad(cut, target)
