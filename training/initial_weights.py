"""Initial weights that are better than random ones.

They are those of a saved network, or, for the networks of airbench94 (K. Jordan, 2024, arXiv 2404.00498), computed from
the training pictures. The kernels of the first layer, which whitens, are the principal components of the pictures'
patches, scaled to equal variance, and their negatives. Each later convolution begins as the identity in as many of its
channels as its input has.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from training.data.dataset import LabelledImages
from training.data.learnt_pictures import LearntPictures
from training.errors import ModelFileError
from training.importing.keras_network import load_network

_PICTURES = 5000
_LEAST_VARIANCE = 3e-5  # of pixels from 0 to 1; smaller variances are noise
_WHITENING = "whitening"


@dataclass(frozen=True, slots=True, eq=False)
class KeptWeights:
    """The weights of a Keras file, from which a network of the same architecture begins.

    Attributes:
        path: of the file, such as the ``model.keras`` of a version.
        weights: in Keras' order.
        fingerprint: SHA-256 of the file.
        learnt: the pictures that they learnt from; None where that is not known.
    """

    path: Path
    weights: tuple[NDArray[np.float32], ...]
    fingerprint: str
    learnt: LearntPictures | None = None

    @classmethod
    def read(cls, path: Path) -> "KeptWeights":
        """Reads a ``.keras`` or ``.h5`` file.

        Raises:
            ModelFileError: there is no such file, or the record of its pictures is damaged.
            ImportRefusedError: it is damaged, or contains code.
        """
        if not path.is_file():
            raise ModelFileError(f"--start-from {path}: there is no such file")
        network = load_network(path)
        return cls(
            path,
            tuple(network.get_weights()),
            hashlib.sha256(path.read_bytes()).hexdigest(),
            LearntPictures.beside(path),
        )

    def give(self, network: keras.Sequential) -> keras.Sequential:
        """Sets the weights of a network of the same architecture, and returns it.

        Raises:
            ModelFileError: its weights have other shapes.
        """
        ours, theirs = ([value.shape for value in values] for values in (network.get_weights(), self.weights))
        if ours != theirs:
            raise ModelFileError(
                f"--start-from {self.path} is another network than the recipe trains ({len(theirs)} weights, and "
                f"{len(ours)} are needed, of the same shapes): name the recipe that it was trained with, or use it "
                "as a --backbone"
            )
        network.set_weights(list(self.weights))
        return network


def initialise(network: keras.Sequential, images: LabelledImages) -> None:
    """Sets the initial weights of an airbench network; any other is left as it is.

    Args:
        network: with random weights.
        images: the pictures that it will learn from.
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
