"""ROAD: removes pixels from a picture so that a network cannot see where they were.

Pixels that are set to one colour leave edges and specks, which influence a network by themselves. ROAD (Rong et al., "A
Consistent and Efficient Evaluation Strategy for Attribution Methods", ICML 2022, arXiv 2202.00449) fills them by noisy
linear imputation: each becomes the weighted mean of its eight neighbours, plus a little noise. Removed neighbours are
unknowns of the same linear equations.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

_NOISE: Final = 0.01 * 255  # standard deviation, as in the authors' code for values of 0 to 1
_TOLERANCE: Final = 1e-12
_NEIGHBORS: Final = [
    ((down, right), 1 / 12 if down and right else 1 / 6) for down in (-1, 0, 1) for right in (-1, 0, 1) if down or right
]


def impute(image: NDArray[np.uint8], removed: NDArray[np.intp], random: np.random.Generator) -> NDArray[np.uint8]:
    """Fills removed pixels from their neighbours.

    Args:
        image: uint8 [H, W, C].
        removed: flat indices of the pixels, each once, [n], fewer than H x W. The equations take n x n numbers.
        random: the generator of the noise.

    Returns:
        uint8 [H, W, C].
    """
    height, width, channels = image.shape
    values = image.reshape(-1, channels).astype(np.float64)
    unknown = np.full(height * width, -1)
    unknown[removed] = np.arange(len(removed))
    rows, columns = np.divmod(removed, width)
    factors, known = np.zeros((len(removed), len(removed))), np.zeros((len(removed), channels))
    for (down, right), weight in _NEIGHBORS:
        near_rows, near_columns = rows + down, columns + right
        is_inside = (near_rows >= 0) & (near_rows < height) & (near_columns >= 0) & (near_columns < width)
        which = np.flatnonzero(is_inside)
        near = near_rows[which] * width + near_columns[which]
        factors[which, which] += weight
        is_unknown = unknown[near] >= 0
        factors[which[is_unknown], unknown[near[is_unknown]]] -= weight
        known[which[~is_unknown]] += weight * values[near[~is_unknown]]
    values[removed] = _solve(factors, known) + random.normal(0, _NOISE, known.shape)
    return values.clip(0, 255).round().astype(np.uint8).reshape(image.shape)


def _solve(factors: NDArray[np.float64], known: NDArray[np.float64]) -> NDArray[np.float64]:
    """Solves symmetric, positive definite equations by conjugate gradients, for each column.

    LAPACK would use every core for a hundred unknowns, and its threads would mostly wait for each other.
    """
    solution = np.zeros_like(known)
    rest, direction = known.copy(), known.copy()
    size = (rest * rest).sum(axis=0)
    for _ in range(len(known)):
        if (size < _TOLERANCE).all():
            break
        image = factors @ direction
        step = size / np.maximum((direction * image).sum(axis=0), _TOLERANCE)
        solution += step * direction
        rest -= step * image
        before, size = size, (rest * rest).sum(axis=0)
        direction = rest + size / np.maximum(before, _TOLERANCE) * direction
    return solution
