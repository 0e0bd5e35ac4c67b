"""The two data sets by way of ``keras.datasets``, which keeps them in ``~/.keras`` and downloads what is missing."""

from collections.abc import Callable
from typing import Any

import numpy as np

from training.data import cifar10, mnist_idx
from training.data.dataset import DataSet, LabelledImages
from training.errors import DataError
from training.files import reason

Pair = tuple[Any, Any]


def load_cifar10() -> DataSet:
    """CIFAR-10.

    Raises:
        DataError: neither in the cache nor to be had from its publisher.
    """
    import keras  # noqa: PLC0415  # seconds of import, for those only who have no files

    train, test = _load("CIFAR-10", keras.datasets.cifar10.load_data)
    return cifar10.of_arrays(_labelled(train), _labelled(test))


def load_mnist() -> DataSet:
    """MNIST.

    Raises:
        DataError: neither in the cache nor to be had from its publisher.
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
            f"{name} is neither in keras.datasets' cache nor to be downloaded ({reason(error)}): "
            "give its folder as --data-dir"
        ) from error


def _labelled(pair: Pair) -> LabelledImages:
    pixels, classes = np.asarray(pair[0], np.uint8), np.asarray(pair[1], np.int64).reshape(-1)
    return LabelledImages(pixels if pixels.ndim == 4 else pixels[..., np.newaxis], classes)
