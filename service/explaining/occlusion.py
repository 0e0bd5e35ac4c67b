"""Occlusion: hides one patch of the picture after the other, and measures how the class's probability decreases.

The picture is divided into 8 x 8 cells. Each of the 64 patches is centred on a cell and has 1.5 times its width and
height, so that patches overlap. It is filled with the picture's background: black for light strokes on dark, otherwise
the mean colour. A pixel's value is the mean decrease over the patches that hide it. Source: Zeiler and Fergus, 2013.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

GRID: Final = 8
PATCHES: Final = GRID * GRID
_REACH: Final = 0.25  # overlap on each side, in cells
_LEAST_SHARE: Final = 1e-7


class Occlusion:
    """The occluded copies of one picture.

    Args:
        pixels: uint8 [H, W, C].
        on_black: whether hidden patches are black.
    """

    def __init__(self, pixels: NDArray[np.uint8], *, on_black: bool) -> None:
        self._pixels = pixels
        self._ground = 0 if on_black else pixels.mean(axis=(0, 1)).round().astype(np.uint8)
        height, width = pixels.shape[:2]
        self._places = [(rows, columns) for rows in _spans(height) for columns in _spans(width)]

    def images(self, start: int, stop: int) -> NDArray[np.uint8]:
        """Makes copies of the picture, each with one patch hidden.

        Args:
            start: number of the first patch, from 0.
            stop: number after the last one, at most 64.

        Returns:
            uint8 [stop - start, H, W, C], each with one patch hidden.
        """
        images = np.repeat(self._pixels[np.newaxis], stop - start, axis=0)
        for image, place in zip(images, self._places[start:stop], strict=True):
            image[place] = self._ground
        return images

    def to_map(self, before: float, after: NDArray[np.float32]) -> NDArray[np.float32]:
        """Makes the map of the mean decrease of a class, in log-odds, for each pixel.

        Log-odds show differences between confident answers, whose probabilities are all nearly 1.

        Args:
            before: the probability of the class for the whole picture.
            after: float32 [64], for the picture without each patch.

        Returns:
            float32 [H, W]; negative where a pixel is evidence against the class.
        """
        falls = _log_odds(np.float64(before)) - _log_odds(after.astype(np.float64))
        total = np.zeros(self._pixels.shape[:2], np.float32)
        count = np.zeros_like(total)
        for value, place in zip(falls, self._places, strict=True):
            total[place] += value
            count[place] += 1
        total /= np.maximum(count, 1)
        return total


def _log_odds(share: NDArray[np.float64] | np.float64) -> NDArray[np.float64]:
    clipped = np.clip(share, _LEAST_SHARE, 1 - _LEAST_SHARE)
    odds: NDArray[np.float64] = np.log(clipped) - np.log1p(-clipped)
    return odds


def _spans(side: int) -> list[slice]:
    """The pixels of one side that each row or column of patches hides."""
    cell = side / GRID
    edges = [(max(0.0, (at - _REACH) * cell), min(float(side), (at + 1 + _REACH) * cell)) for at in range(GRID)]
    return [slice(int(low), max(int(low) + 1, round(high))) for low, high in edges]
