"""Loads a data set by its name and its folder.

``cifar10`` and ``mnist`` are known by name; any other name means a folder of your own pictures.
"""

import math
from dataclasses import dataclass
from pathlib import Path

from contract import MOST_GOLDEN_BYTES, ColorMode, DataSource, ModelMetadata
from training.data import cifar10, image_folder, kaggle_csv, keras_cache, mnist_idx
from training.data.dataset import DataSet
from training.data.picture import PictureRule
from training.data.picture_table import is_table
from training.errors import DataError, ModelFileError

_LEAST_SIDE, _MOST_SIDE = 8, 4096  # the least that three poolings can halve; the contract's largest input
_BY_NAME = {cifar10.SOURCE.name: "cifar10", mnist_idx.SOURCE.name: "mnist"}
BUILT_IN = tuple(_BY_NAME.values())
"""The data sets that are known by name."""


@dataclass(frozen=True, slots=True)
class OwnPictures:
    """The settings for a folder of your own pictures.

    Attributes:
        side: height of the network's input, and its width unless ``width`` is given, in pixels.
        color_mode: ``RGB`` or ``L``.
        licence: of the pictures.
        citation: how the pictures are to be cited.
        skipped: file for the names of files that cannot be used, which are then left out; None makes them an error.
        width: of the network's input, in pixels; None where it equals the height.

    Raises:
        DataError: the side is too small or too large.
    """

    side: int = 32
    color_mode: ColorMode = "RGB"
    licence: str = "Not stated."
    citation: str = "Not stated."
    skipped: Path | None = None
    width: int | None = None

    def __post_init__(self) -> None:
        channels = len(self.color_mode)
        values = self.side * (self.width or self.side) * channels
        if not _LEAST_SIDE <= self.side <= _MOST_SIDE or values > MOST_GOLDEN_BYTES:
            most = math.isqrt(MOST_GOLDEN_BYTES // channels)
            raise DataError(f"--size {self.side}: {_LEAST_SIDE} to {most} pixels are possible")


def load(name: str, place: Path | None, own: OwnPictures) -> DataSet:
    """Reads a data set.

    Args:
        name: ``cifar10``, ``mnist``, or the name of your own data set.
        place: a folder, or Kaggle's ``train.csv``; None takes CIFAR-10 and MNIST from keras.datasets.
        own: the settings for a folder of your own pictures.

    Raises:
        DataError: it is missing, truncated, damaged or mislabelled.
    """
    match name:
        case "cifar10":
            return _cifar10(place)
        case "mnist":
            return _mnist(place)
        case _:
            return _own(name, place, own)


def load_for(model: ModelMetadata, place: Path | None, skipped: Path | None = None) -> DataSet:
    """Reads the data set that a model learnt from, or another of the same classes, in the model's input shape.

    Raises:
        DataError: it is missing, truncated, damaged or mislabelled.
        ModelFileError: its classes are not the model's.
    """
    if place is not None and (_names_pictures(place, model) or (place.is_dir() and not is_published(place))):
        rule = PictureRule.of(model)
        return image_folder.load(
            place, name=model.name, rule=rule, source=model.data, labels=model.class_names, skipped=skipped
        )
    data = load(_BY_NAME.get(model.data.name, model.name), place, OwnPictures())
    if data.labels != model.labels:
        raise ModelFileError(f"{model.name} knows {', '.join(model.labels)}; {place} holds {', '.join(data.labels)}")
    return data


def _names_pictures(place: Path, model: ModelMetadata) -> bool:
    """Whether a file is a table of paths, not Kaggle's table of digits."""
    return is_table(place) and _BY_NAME.get(model.data.name, model.name) != "mnist"


def is_published(place: Path) -> bool:
    """Whether the folder holds files of CIFAR-10, MNIST or Kaggle as their publishers name them."""
    folders = (place, place / cifar10.DIRECTORY, place / "mnist")
    return any(any(folder.glob(kind)) for folder in folders for kind in ("data_batch_*", "*-ubyte*", "train.csv"))


def _cifar10(place: Path | None) -> DataSet:
    if place is None:
        return keras_cache.load_cifar10()
    for directory in (place / cifar10.DIRECTORY, place):
        if any(directory.glob("*_batch*")):
            return cifar10.load(directory)
    raise DataError(f"no CIFAR-10 in {place}: it must hold {cifar10.DIRECTORY}/ with data_batch_1 and so on")


def _mnist(place: Path | None) -> DataSet:
    if place is None:
        return keras_cache.load_mnist()
    if place.is_file():
        return kaggle_csv.load(place)
    for directory in (place / "mnist", place):
        if any(directory.glob("*-ubyte*")):
            return mnist_idx.load(directory)
        if (directory / "train.csv").is_file():
            return kaggle_csv.load(directory / "train.csv")
    raise DataError(f"no MNIST in {place}: it must hold train-images-idx3-ubyte.gz and so on, or Kaggle's train.csv")


def _own(name: str, place: Path | None, own: OwnPictures) -> DataSet:
    if place is None:
        raise DataError(
            f"{name} is not built in (cifar10 and mnist are): give the folder of its pictures as --data-dir"
        )
    return image_folder.load(
        place,
        name=name,
        rule=PictureRule(own.side, own.width or own.side, own.color_mode, fit="cover", polarity="any"),
        source=DataSource(name, own.licence, own.citation),
        skipped=own.skipped,
    )
