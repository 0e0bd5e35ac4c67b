"""How a picture of any size and format becomes a network's input: the same rules as in the service.

Turned as its EXIF data says, converted to the colour mode, scaled by the resize rule, laid on white where it is
transparent, and, for a network that knows light strokes on a dark ground only, inverted where its border is light.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from contract import ColorMode, Fit, Polarity
from training.errors import DataError

_REDUCING_GAP = 2.0
_MID_GREY = 127


@dataclass(frozen=True, slots=True)
class PictureRule:
    """What pictures become; the fields are those of :class:`contract.ModelMetadata`."""

    height: int
    width: int
    color_mode: ColorMode
    fit: Fit
    polarity: Polarity

    def read(self, path: Path) -> NDArray[np.uint8]:
        """Reads one picture.

        Args:
            path: of any format that Pillow reads.

        Returns:
            uint8 [H, W, C].

        Raises:
            DataError: it is no picture, or a damaged one.
        """
        try:
            with Image.open(path) as opened:
                picture = _plain(ImageOps.exif_transpose(opened), self.color_mode)
        except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
            raise DataError(f"{path} is not a picture that can be read ({error}): remove or replace it") from error
        pixels = np.asarray(_flat(self._scaled(picture), self.color_mode), np.uint8)
        pixels = pixels.reshape(*pixels.shape[:2], -1)
        if self.polarity == "light-on-dark" and _has_light_border(pixels):
            pixels = 255 - pixels
        return self._padded(pixels)

    def _scaled(self, picture: Image.Image) -> Image.Image:
        width, height = picture.size
        size = self.width, self.height
        box = (0.0, 0.0, float(width), float(height))
        if self.fit == "cover":
            scale = min(width / self.width, height / self.height)
            left, top = (width - self.width * scale) / 2, (height - self.height * scale) / 2
            box = (left, top, left + self.width * scale, top + self.height * scale)
        elif self.fit == "contain":
            scale = max(width / self.width, height / self.height)
            size = max(1, round(width / scale)), max(1, round(height / scale))
        return picture.resize(size, Image.Resampling.BILINEAR, box=box, reducing_gap=_REDUCING_GAP)

    def _padded(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        height, width, channels = pixels.shape
        ground = np.zeros((self.height, self.width, channels), np.uint8)
        top, left = (self.height - height) // 2, (self.width - width) // 2
        ground[top : top + height, left : left + width] = pixels
        return ground


def _plain(picture: Image.Image, color_mode: ColorMode) -> Image.Image:
    if picture.mode.startswith("I"):  # 16 bits, whose upper half counts; Pillow itself would clip at 255
        picture = Image.fromarray((np.clip(np.asarray(picture), 0, 65535) >> 8).astype(np.uint8))
    if picture.mode == "F":
        raise ValueError("its pixels are floating-point numbers; 8 or 16 bits a channel are needed")
    if picture.mode == "LAB":  # which Pillow turns into RGB only
        picture = picture.convert("RGB")
    return picture.convert("RGBA" if picture.has_transparency_data else color_mode)


def _flat(picture: Image.Image, color_mode: ColorMode) -> Image.Image:
    if picture.mode == "RGBA":
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return picture.convert(color_mode)


def _has_light_border(pixels: NDArray[np.uint8]) -> bool:
    """Whether more than half of the border, uint8 [H, W, C], is lighter than mid-grey."""
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    return bool(np.mean(border > _MID_GREY) > 0.5)
