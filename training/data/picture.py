"""Turns a picture file into a network's input, with the same decoder as the service."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from contract import ColorMode, Fit, ModelMetadata, Polarity
from imaging import Limits, PictureError, Target, TooManyPixelsError, decode, examine
from training.errors import DataError
from training.files import MEBIBYTE, read_file, reason

_MAX_FILE_BYTES = 256 * MEBIBYTE


@dataclass(frozen=True, slots=True, eq=False)
class ReadPicture:
    """A picture that was read.

    Attributes:
        pixels: uint8 [H, W, C], as the model takes it.
        width: of the picture in the file, in pixels, before any rotation.
        height: of the picture in the file, in pixels, before any rotation.
    """

    pixels: NDArray[np.uint8]
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class PictureRule:
    """How a picture becomes the network's input; the fields but the last are those of :class:`contract.ModelMetadata`.

    Attributes:
        height: of the input, in pixels.
        width: of the input, in pixels.
        color_mode: ``RGB`` or ``L``.
        fit: how pictures of other proportions are resized.
        polarity: of strokes and ground.
        served: the whole rule of a model that exists; None where filter and crop are those of a network trained here.
    """

    height: int
    width: int
    color_mode: ColorMode
    fit: Fit
    polarity: Polarity
    served: Target | None = None

    @classmethod
    def of(cls, model: ModelMetadata) -> Self:
        """The rule that the service follows for a model."""
        return cls(model.height, model.width, model.color_mode, model.fit, model.polarity, Target.of(model))

    def read(self, path: Path, content: bytes | None = None) -> ReadPicture:
        """Reads one picture.

        Args:
            path: of a picture in a format that the service reads; the file may have any name.
            content: of the file, where it was read already.

        Raises:
            DataError: it is no regular file, no picture, damaged, or a picture that the service would refuse.
        """
        return _read(path, self._target(), content)

    def _target(self) -> Target:
        if self.served is not None:
            return self.served
        light_on_dark = self.polarity == "light-on-dark"
        return Target(self.height, self.width, self.color_mode, self.fit, light_on_dark=light_on_dark)


def read_picture(path: Path, target: Target) -> NDArray[np.uint8]:
    """Reads one picture as the service would.

    Args:
        path: of a picture in a format that the service reads; the file may have any name.
        target: the network's input.

    Returns:
        uint8 [H, W, C].

    Raises:
        DataError: it is no regular file, no picture, damaged, or a picture that the service would refuse.
    """
    return _read(path, target).pixels


def _read(path: Path, target: Target, content: bytes | None = None) -> ReadPicture:
    try:
        examined = examine(_content(path) if content is None else content)
        Limits().check(examined.header, target)
        return ReadPicture(decode(examined, target), examined.header.width, examined.header.height)
    except TooManyPixelsError as error:
        raise DataError(f"{path} {error}: make it smaller") from None
    except (PictureError, OSError) as error:
        raise DataError(f"{path} is not a picture that can be read ({reason(error)})") from None


def _content(path: Path) -> bytes:
    if not path.exists():
        raise DataError(f"{path} does not exist")
    if not path.is_file():  # opening a named pipe would wait for its writer
        raise DataError(f"{path} is not a regular file: only pictures belong here")
    return read_file(path, _MAX_FILE_BYTES)
