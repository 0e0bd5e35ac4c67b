"""Loads CIFAR-10 and MNIST from ``keras.datasets``, which keeps them in ``~/.keras`` and downloads missing files."""

from collections.abc import Callable
from typing import Any

import numpy as np

from training.data import cifar10, mnist_idx
from training.data.dataset import DataSet, LabelledImages
from training.errors import DataError
from training.files import reason

Pair = tuple[Any, Any]


def load_cifar10() -> DataSet:
    """Loads CIFAR-10.

    Raises:
        DataError: it is not in the cache and cannot be downloaded.
    """
    import keras  # noqa: PLC0415  # the import takes seconds, and is not needed where the files are given

    train, test = _load("CIFAR-10", keras.datasets.cifar10.load_data)
    return cifar10.of_arrays(_labelled(train), _labelled(test))


def load_mnist() -> DataSet:
    """Loads MNIST.

    Raises:
        DataError: it is not in the cache and cannot be downloaded.
    """
    import keras  # noqa: PLC0415

    train, test = _load("MNIST", keras.datasets.mnist.load_data)
    return mnist_idx.of_arrays(_labelled(train), _labelled(test))


def _load(name: str, load_data: Callable[[], tuple[Pair, Pair]]) -> tuple[Pair, Pair]:
    try:
        return load_data()
    # Keras raises a bare Exception where the download fails.
    except Exception as error:
        raise DataError(
            f"{name} is not in the cache of keras.datasets and cannot be downloaded ({reason(error)}): "
            "give its folder as --data-dir"
        ) from error


def _labelled(pair: Pair) -> LabelledImages:
    pixels, classes = np.asarray(pair[0], np.uint8), np.asarray(pair[1], np.int64).reshape(-1)
    return LabelledImages(pixels if pixels.ndim == 4 else pixels[..., np.newaxis], classes)
