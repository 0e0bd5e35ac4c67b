"""Occlusion: hide one patch of the picture after the other, and see how far the class falls (Zeiler and Fergus 2013).

The picture is cut by a grid of 8 x 8 cells. Each of the 64 patches is centred on a cell and half as large again,
so that they overlap, and is filled with the picture's ground: black for light strokes on dark, the mean colour
otherwise. A pixel's value is the mean fall over the patches that hide it.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

GRID: Final = 8
PATCHES: Final = GRID * GRID
_REACH: Final = 0.25  # cells to each side of a cell
_LEAST_SHARE: Final = 1e-7


class Occlusion:
    """One picture, of which patches are hidden.

    Args:
        pixels: uint8 [H, W, C].
        on_black: whether the ground is black.
    """

    def __init__(self, pixels: NDArray[np.uint8], *, on_black: bool) -> None:
        self._pixels = pixels
        self._ground = 0 if on_black else pixels.mean(axis=(0, 1)).round().astype(np.uint8)
        height, width = pixels.shape[:2]
        self._places = [(rows, columns) for rows in _spans(height) for columns in _spans(width)]

    def images(self, start: int, stop: int) -> NDArray[np.uint8]:
        """Hides patches.

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
        """Spreads over the pixels how far a class falls, in log-odds.

        These tell sure answers apart where probabilities are all nearly 1.

        Args:
            before: the probability of the class for the whole picture.
            after: float32 [64], for the picture without each patch.

        Returns:
            float32 [H, W]; negative where a pixel spoke against the class.
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
    """Of a side, in pixels, the part that each row or column of patches hides."""
    cell = side / GRID
    edges = [(max(0.0, (at - _REACH) * cell), min(float(side), (at + 1 + _REACH) * cell)) for at in range(GRID)]
    return [slice(int(low), max(int(low) + 1, round(high))) for low, high in edges]
