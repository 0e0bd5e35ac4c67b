"""Loads a folder or table of pictures as a training does."""

from pathlib import Path

from contract import DataSource
from training.data import image_folder
from training.data.dataset import DataSet
from training.data.picture import PictureRule

SOURCE = DataSource("pictures", "mine", "me")


def load(place: Path, side: int = 32) -> DataSet:
    """The data set, in pictures of ``side`` x ``side`` pixels."""
    rule = PictureRule(side, side, "RGB", fit="cover", polarity="any")
    return image_folder.load(place, name="pictures", rule=rule, source=SOURCE)
