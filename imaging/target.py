"""What a model wants a picture to become."""

from dataclasses import dataclass
from typing import Self

from contract import ColorMode, Fit, ModelMetadata


@dataclass(frozen=True, slots=True)
class Target:
    """The input of one model, as far as decoding is concerned.

    Attributes:
        height: in pixels.
        width: in pixels.
        color_mode: ``RGB`` or ``L``, as Pillow names them.
        fit: how other proportions become these (see :class:`contract.ModelMetadata`).
        light_on_dark: whether a picture with a light border must be inverted.
    """

    height: int
    width: int
    color_mode: ColorMode
    fit: Fit
    light_on_dark: bool

    @classmethod
    def of(cls, metadata: ModelMetadata) -> Self:
        """The target that a model's metadata describes."""
        return cls(
            metadata.height,
            metadata.width,
            metadata.color_mode,
            metadata.fit,
            light_on_dark=metadata.polarity == "light-on-dark",
        )

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, C) of the array that a picture becomes."""
        return self.height, self.width, 3 if self.color_mode == "RGB" else 1
