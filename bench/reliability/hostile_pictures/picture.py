"""Honest pictures, from which hostile files are made and with which they are compared."""

import io
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile


class HostileFile(NamedTuple):
    """A file that is slow for its size.

    Attributes:
        name: a description of it.
        coding: the key of the honest file that it is compared with.
        data: the content of the file.
    """

    name: str
    coding: str
    data: bytes


def photo(width: int, height: int, mode: str = "RGB") -> Image.Image:
    """A picture like a photograph: coarse and fine detail, and a little sensor noise."""
    random = np.random.default_rng(0)

    def detail(size: int) -> NDArray[np.float32]:
        cells = random.integers(0, 256, (max(2, height // size + 2), max(2, width // size + 2), 3), dtype=np.uint8)
        return np.asarray(Image.fromarray(cells).resize((width, height), Image.Resampling.BICUBIC), np.float32)

    mixed = 0.6 * detail(64) + 0.25 * detail(8) + 0.1 * detail(2) + 0.05 * detail(1)
    return Image.fromarray(np.clip(mixed, 0, 255).astype(np.uint8)).convert(mode)


def noise(width: int, height: int) -> Image.Image:
    """A picture of noise, which no encoder can make small."""
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


def encode(picture: Image.Image, kind: str, **options: object) -> bytes:
    """Encodes a picture as a file."""
    stream = io.BytesIO()
    known, ImageFile.MAXBLOCK = ImageFile.MAXBLOCK, 1 << 16 | picture.width * picture.height * 8
    try:
        picture.save(stream, kind, **options)
    finally:
        ImageFile.MAXBLOCK = known
    return stream.getvalue()
