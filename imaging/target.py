"""What a model wants a picture to become."""

import math
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Self

from contract import ColorMode, CropRounding, Fit, Interpolation, ModelMetadata


@dataclass(frozen=True)
class Target:
    """The input of one model, as far as decoding is concerned; the words are those of :class:`contract.ModelMetadata`.

    Attributes:
        height: in pixels.
        width: in pixels.
        color_mode: ``RGB`` or ``L``, as Pillow names them.
        fit: how other proportions become these.
        light_on_dark: whether a picture with a light border must be inverted.
        interpolation: filter of the resize.
        antialias: whether the filter is widened where the picture shrinks.
        crop_fraction: share of the shorter side that a crop keeps.
        crop_rounding: where the crop of ``shortest-edge`` begins.
        is_reduced: large pictures are decoded, or reduced, at a whole fraction of their size before the resize.
        exif: whether a picture is turned as its EXIF orientation says.
        icc: whether an embedded colour profile is converted to sRGB.
        centers_strokes: whether light or dark strokes are brought to the convention of digits, see
            :mod:`imaging.strokes`; grey only.
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
        """Computed once: each request looks something up by its target."""
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash(tuple(getattr(self, item.name) for item in fields(self)))

    @cached_property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, C) of the array that a picture becomes."""
        return self.height, self.width, 3 if self.color_mode == "RGB" else 1

    @cached_property
    def pixel_bytes(self) -> int:
        """Length of that array in bytes."""
        return math.prod(self.shape)

    @cached_property
    def of_strokes(self) -> Self:
        """The same for a drawn digit: a part of the picture can be all that matters, so it is decoded in full."""
        return replace(self, centers_strokes=True, is_reduced=False)

    @property
    def edge(self) -> int:
        """What the shorter side is scaled to before a crop, in pixels."""
        return round(min(self.height, self.width) / self.crop_fraction)

    def is_met_by(self, width: int, height: int) -> bool:
        """Whether a picture of this size is taken as it is: no resize, no crop."""
        if (width, height) != (self.width, self.height) or self.centers_strokes:
            return False
        return self.crop_fraction == 1 and (self.fit != "shortest-edge" or width == height)
