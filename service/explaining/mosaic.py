"""Makes one picture of many small ones: kernels or feature maps side by side."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

MOST_TILES: Final = 32
_COLUMNS: Final = 8
_GAP: Final = 1
_GROUND: Final = 128
_KERNEL_GROUND: Final = 255  # 128 is a weight of 0


def of_kernels(kernels: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Shows kernels; mid-grey is a weight of 0.

    Args:
        kernels: float32 [K, C, h, w], C 1 or 3.

    Returns:
        uint8 [H, W, C], of the first 32 kernels.
    """
    shown = kernels[:MOST_TILES].transpose(0, 2, 3, 1)
    strongest = max(float(np.abs(shown).max()), 1e-12)
    return _tile((127.5 + 127.5 * shown / strongest).round().astype(np.uint8), _KERNEL_GROUND)


def of_maps(activation: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Shows feature maps, each scaled from its lowest value in black to its highest in white.

    Args:
        activation: float32 [C, H, W].

    Returns:
        uint8 [H', W', 1], of the first 32 maps.
    """
    shown = activation[:MOST_TILES]
    low = shown.min(axis=(1, 2), keepdims=True)
    span = np.maximum(shown.max(axis=(1, 2), keepdims=True) - low, 1e-12)
    return _tile((255 * (shown - low) / span).round().astype(np.uint8)[..., np.newaxis], _GROUND)


def _tile(tiles: NDArray[np.uint8], ground: int) -> NDArray[np.uint8]:
    count, height, width, channels = tiles.shape
    columns = min(_COLUMNS, count)
    rows = -(-count // columns)
    whole = np.full((rows * (height + _GAP) - _GAP, columns * (width + _GAP) - _GAP, channels), ground, np.uint8)
    for place, tile in enumerate(tiles):
        top, left = place // columns * (height + _GAP), place % columns * (width + _GAP)
        whole[top : top + height, left : left + width] = tile
    return whole
