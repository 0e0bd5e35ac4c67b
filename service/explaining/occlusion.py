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


def occluded(pixels: NDArray[np.uint8], start: int, stop: int, *, on_black: bool) -> NDArray[np.uint8]:
    """Hides patches of a picture.

    Args:
        pixels: uint8 [H, W, C].
        start: number of the first patch, from 0.
        stop: number after the last one, at most 64.
        on_black: whether the ground is black.

    Returns:
        uint8 [stop - start, H, W, C], each with one patch hidden.
    """
    ground = 0 if on_black else pixels.mean(axis=(0, 1)).round().astype(np.uint8)
    images = np.repeat(pixels[np.newaxis], stop - start, axis=0)
    for image, (rows, columns) in zip(images, _places(*pixels.shape[:2])[start:stop], strict=True):
        image[rows, columns] = ground
    return images


def falls(before: float, after: NDArray[np.float32]) -> NDArray[np.float32]:
    """How far a class falls, in log-odds, which tell sure answers apart where probabilities are all nearly 1.

    Args:
        before: the probability of the class for the whole picture.
        after: float32 [n], for the picture without each patch.

    Returns:
        float32 [n]; negative where a patch spoke against the class.
    """
    return (_log_odds(np.float64(before)) - _log_odds(after.astype(np.float64))).astype(np.float32)


def to_map(fallen: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """Spreads the falls over the pixels.

    Args:
        fallen: float32 [64].
        height: of the picture.
        width: of the picture.

    Returns:
        float32 [height, width].
    """
    total = np.zeros((height, width), np.float32)
    count = np.zeros((height, width), np.float32)
    for value, place in zip(fallen, _places(height, width), strict=True):
        total[place] += value
        count[place] += 1
    total /= np.maximum(count, 1)
    return total


def _log_odds(share: NDArray[np.float64] | np.float64) -> NDArray[np.float64]:
    clipped = np.clip(share, _LEAST_SHARE, 1 - _LEAST_SHARE)
    odds: NDArray[np.float64] = np.log(clipped) - np.log1p(-clipped)
    return odds


def _places(height: int, width: int) -> list[tuple[slice, slice]]:
    def spans(side: int) -> list[slice]:
        cell = side / GRID
        edges = [(max(0.0, (at - _REACH) * cell), min(float(side), (at + 1 + _REACH) * cell)) for at in range(GRID)]
        return [slice(int(low), max(int(low) + 1, round(high))) for low, high in edges]

    return [(rows, columns) for rows in spans(height) for columns in spans(width)]
