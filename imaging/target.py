"""The input of a model, to which pictures are decoded."""

import math
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Self

from contract import ColorMode, CropRounding, Fit, Interpolation, ModelMetadata


@dataclass(frozen=True)
class Target:
    """The input of one model, as decoding needs it; most names are those of :class:`contract.ModelMetadata`.

    Attributes:
        height: in pixels.
        width: in pixels.
        color_mode: ``RGB`` or ``L``, as Pillow names them.
        fit: how a picture with another aspect ratio is fitted.
        light_on_dark: whether a picture with a light border must be inverted.
        interpolation: filter of the resize.
        antialias: whether the filter is widened where the picture shrinks.
        crop_fraction: share of the shorter side that a crop keeps.
        crop_rounding: how the position of the crop of ``shortest-edge`` is rounded, or ``source-pixels`` or
            ``target-pixels``.
        is_reduced: whether large pictures are decoded at, or reduced to, 1/n of their size before the resize.
        exif: whether a picture is rotated by its EXIF orientation.
        icc: whether an embedded colour profile is converted to sRGB.
        centers_strokes: whether strokes are scaled and centred as digits, see :mod:`imaging.strokes`; grey only.
    """

    height: int
    width: int
    color_mode: ColorMode
    fit: Fit
    light_on_dark: bool
    interpolation: Interpolation = "bilinear"
    antialias: bool = True
    crop_fraction: float = 1.0
    crop_rounding: CropRounding = "round"
    is_reduced: bool = True
    exif: bool = True
    icc: bool = True
    centers_strokes: bool = False

    @classmethod
    def of(cls, metadata: ModelMetadata) -> Self:
        """The target that a model's metadata describes."""
        return cls(
            metadata.height,
            metadata.width,
            metadata.color_mode,
            metadata.fit,
            light_on_dark=metadata.polarity == "light-on-dark",
            interpolation=metadata.interpolation,
            antialias=metadata.antialias,
            crop_fraction=metadata.crop_fraction,
            crop_rounding=metadata.crop_rounding,
            is_reduced=metadata.jpeg_decode == "reduced",
            exif=metadata.exif,
            icc=metadata.icc,
        )

    def __hash__(self) -> int:
        """Computed once, because each request uses its target as a key."""
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash(tuple(getattr(self, item.name) for item in fields(self)))

    @cached_property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, C) of the decoded array."""
        return self.height, self.width, 3 if self.color_mode == "RGB" else 1

    @cached_property
    def pixel_bytes(self) -> int:
        """Length of that array in bytes."""
        return math.prod(self.shape)

    @cached_property
    def of_strokes(self) -> Self:
        """The same target for drawn digits; decoded at full size, since a digit can be a small part of the picture."""
        return replace(self, centers_strokes=True, is_reduced=False)

    @property
    def edge(self) -> int:
        """Length of the shorter side after the resize and before the crop, in pixels."""
        return round(min(self.height, self.width) / self.crop_fraction)

    def is_met_by(self, width: int, height: int) -> bool:
        """Whether a picture of this size needs no resize and no crop."""
        if (width, height) != (self.width, self.height) or self.centers_strokes:
            return False
        return self.crop_fraction == 1 and (self.fit != "shortest-edge" or width == height)
