"""Finds out what data there is: a data set's name and a place become a :class:`~training.data.dataset.DataSet`."""

from pathlib import Path

from training.data import cifar10, kaggle_csv, keras_cache, mnist_idx
from training.data.dataset import DataSet
from training.errors import DataError


def load_cifar10(place: Path | None) -> DataSet:
    """CIFAR-10 from ``place``, which is or holds ``cifar-10-batches-py/``; from keras.datasets where that is None."""
    if place is None:
        return keras_cache.load_cifar10()
    candidates = (place / cifar10.DIRECTORY, place)
    for directory in candidates:
        if any(directory.glob("*_batch*")):
            return cifar10.load(directory)
    raise DataError(f"no CIFAR-10 in {place}: {cifar10.DIRECTORY}/ with data_batch_1 and so on is looked for")


def load_mnist(place: Path | None) -> DataSet:
    """MNIST from ``place``: a folder with the IDX files or a ``mnist/`` with them, or Kaggle's CSV; else keras.datasets."""
    if place is None:
        return keras_cache.load_mnist()
    if place.is_file():
        return kaggle_csv.load(place)
    for directory in (place / "mnist", place):
        if any(directory.glob("*-ubyte*")):
            return mnist_idx.load(directory)
        if (directory / "train.csv").is_file():
            return kaggle_csv.load(directory / "train.csv")
    raise DataError(f"no MNIST in {place}: train-images-idx3-ubyte.gz and so on, or Kaggle's train.csv, is looked for")
