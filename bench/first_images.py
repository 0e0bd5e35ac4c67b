"""Real test images: the first 1,000 of each official test set, in order, stored losslessly in `tests/fixtures/`."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.folders import FIXTURES

_COLUMNS = 40


def first_test_images(model: str) -> NDArray[np.uint8]:
    """The images of a model's test set, uint8 [1000, H, W, C], in the model's input shape."""
    name, side, mode = {
        "cifar10": ("cifar10_test_1000.webp", 32, "RGB"),
        "mnist": ("mnist_test_1000.png", 28, "L"),
    }[model]
    with Image.open(FIXTURES / name) as sheet:
        pixels = np.asarray(sheet.convert(mode))
    tiles = pixels.reshape(pixels.shape[0] // side, side, _COLUMNS, side, -1)
    return np.ascontiguousarray(tiles.transpose(0, 2, 1, 3, 4).reshape(-1, side, side, tiles.shape[-1]))
