"""Figures of a data set: its first pictures, and the number of pictures of each class."""

import numpy as np
from matplotlib.figure import Figure

from training.data.dataset import DataSet
from training.figures.grid import picture_grid

_FIRST, _COLUMNS = 36, 9


def first_training_images(data: DataSet) -> Figure:
    """The first 36 training pictures with their labels."""
    images = data.train.take(slice(_FIRST))
    titles = [data.labels[index] for index in images.classes]
    heading = f"{data.source.name}: the first {len(images)} of {len(data.train):,} training images"
    return picture_grid(images.pixels, titles, ["black"] * len(images), columns=_COLUMNS, heading=heading)


def class_counts(data: DataSet) -> Figure:
    """The number of training and of test pictures of each class, as bars."""
    figure = Figure(figsize=(max(6.4, 0.95 * len(data.labels)), 4.5), layout="constrained")
    axes = figure.subplots()
    places = np.arange(len(data.labels))
    for offset, (part, images) in zip((-0.2, 0.2), (("training", data.train), ("test", data.test)), strict=True):
        counts = np.bincount(images.classes, minlength=len(data.labels))
        bars = axes.bar(places + offset, counts, 0.4, label=f"{part}, {len(images):,} images")
        axes.bar_label(bars, [f"{count:,}" for count in counts], fontsize=7, padding=2)
    axes.set_xticks(places, data.labels)
    axes.set(title=f"{data.source.name}: images of each class", xlabel="class", ylabel="images")
    figure.legend(loc="outside lower center", ncols=2)
    return figure
