"""A grid of pictures with titles, which several figures use."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

RIGHT, WRONG = "tab:blue", "tab:red"


def picture_grid(
    pixels: NDArray[np.uint8], titles: Sequence[str], colors: Sequence[str], *, columns: int, heading: str
) -> Figure:
    """Draws pictures row by row.

    Args:
        pixels: uint8 [N, H, W, C].
        titles: N texts, one above each picture; they may contain newlines.
        colors: N, of the titles.
        columns: pictures per row.
        heading: of the whole figure.

    Returns:
        The figure.
    """
    rows = max(1, math.ceil(len(pixels) / columns))
    lines = max((title.count("\n") + 1 for title in titles), default=1)
    figure = Figure(figsize=(1.35 * columns, (1.2 + 0.17 * lines) * rows + 0.6), layout="constrained")
    figure.suptitle(heading)
    for number, axes in enumerate(figure.subplots(rows, columns, squeeze=False).flat):
        axes.set_axis_off()
        if number < len(pixels):
            show(axes, pixels[number])
            axes.set_title(titles[number], color=colors[number], fontsize=8)
    return figure


def show(axes: Axes, pixels: NDArray[np.uint8]) -> None:
    """Draws one picture, uint8 [H, W, C], in colour or in grey."""
    if pixels.shape[-1] == 1:
        axes.imshow(pixels[..., 0], cmap="gray", vmin=0, vmax=255)
    else:
        axes.imshow(pixels)
