"""Weights that are better to begin with than random ones: whitened patches, and convolutions that pass their input on.

As in airbench94 (K. Jordan, 2024, arXiv 2404.00498): the first layer's kernels are the principal components of the
training pictures' patches, scaled to equal variance, and their negatives; each later convolution begins as the
identity in as many of its channels as its input has.
"""

import keras
import numpy as np
from numpy.typing import NDArray

from training.data.dataset import LabelledImages

_PICTURES = 5000
_LEAST_VARIANCE = 3e-5  # of pixels from 0 to 1: what lies below is noise
_WHITENING = "whitening"


def initialise(network: keras.Sequential, images: LabelledImages) -> None:
    """Sets the initial weights of an airbench network; any other is left as it is.

    Args:
        network: with random weights.
        images: that it will learn from.
    """
    if not any(layer.name == _WHITENING for layer in network.layers):
        return
    for layer in network.layers:
        if layer.name == _WHITENING:
            layer.kernel.assign(_whitening(images.pixels[:_PICTURES], layer.kernel_size[0]))
        elif isinstance(layer, keras.layers.Conv2D):
            layer.kernel.assign(_with_identity(np.asarray(layer.kernel)))


def _whitening(pixels: NDArray[np.uint8], side: int) -> NDArray[np.float32]:
    """Kernels [side, side, C, 2 * side * side * C]."""
    scaled = pixels.astype(np.float32) / np.float32(255)
    windows = np.lib.stride_tricks.sliding_window_view(scaled, (side, side), axis=(1, 2))
    channels = pixels.shape[3]
    # [N, H', W', C, side, side] -> rows in the order of a Keras kernel, [side, side, C].
    patches = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, side * side * channels)
    variances, directions = np.linalg.eigh(np.cov(patches, rowvar=False, dtype=np.float64))
    kernels = (directions / np.sqrt(variances + _LEAST_VARIANCE))[:, ::-1]
    both = np.concatenate([kernels, -kernels], axis=1)
    return both.reshape(side, side, channels, -1).astype(np.float32)


def _with_identity(kernel: NDArray[np.float32]) -> NDArray[np.float32]:
    changed = kernel.copy()
    height, width, channels, filters = kernel.shape
    passed = min(channels, filters)
    changed[..., :passed] = 0
    changed[height // 2, width // 2, np.arange(passed), np.arange(passed)] = 1
    return changed
