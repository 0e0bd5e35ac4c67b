"""Figures of a network's first kernels, and of the feature maps that its layers compute for one picture.

They are drawn from the exported file, so they need no Keras and work for any version and any picture.
"""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from network.layers import Layer
from training.figures.grid import show

_COLUMNS = 8
_MOST_KERNELS = 128
_MAPS_A_LAYER = 16
_MOST_LAYERS = 12
_LEAST_SIDE = 64  # of a map in the figure, in pixels
_GAPS = 12  # width of a map divided by the gap between maps
_LEAST_MAXIMUM = 1e-6  # avoids a division by zero for a map of zeros


def first_kernels(kernels: NDArray[np.float32]) -> Figure:
    """The first convolution's kernels, each as a small picture.

    Args:
        kernels: [K, C, h, w], C 1 or 3.
    """
    filters, channels, height, width = kernels.shape
    shown = min(filters, _MOST_KERNELS)
    rows = math.ceil(shown / _COLUMNS)
    figure = Figure(figsize=(1.1 * _COLUMNS, 1.3 * rows + 1), layout="constrained")
    size = f"{filters} kernels of {height}x{width}" + (f", the first {shown}" if shown < filters else "")
    limit = max(float(np.abs(kernels).max()), _LEAST_MAXIMUM)
    if channels == 3:
        colours = f"red, green and blue weights\nmid-grey is 0, full colour ±{limit:.2g}"
        figure.suptitle(f"First convolution: {size}, {colours}")
    else:
        figure.suptitle(f"First convolution: {size}\nred is positive, blue is negative, white is 0")
    grid = figure.subplots(rows, _COLUMNS, squeeze=False)
    for number, axes in enumerate(grid.flat):
        axes.set_axis_off()
        if number >= shown:
            continue
        kernel = kernels[number].transpose(1, 2, 0)
        if channels == 3:
            axes.imshow(kernel / (2 * limit) + 0.5)
        else:
            image = axes.imshow(kernel[..., 0], cmap="RdBu_r", vmin=-limit, vmax=limit)
        axes.set_title(f"{number}", fontsize=8)
    if channels != 3:
        figure.colorbar(image, ax=grid, label="weight", shrink=0.8)
    return figure


def feature_maps(layers: Sequence[Layer], pixels: NDArray[np.uint8], heading: str) -> Figure:
    """The feature maps of one picture: 16 maps of each layer, each scaled to its own maximum.

    Args:
        layers: all layers; at most 12 that make maps are shown, spread over the whole network.
        pixels: the picture, uint8 [H, W, C].
        heading: of the figure.
    """
    mapping = [(place, layer) for place, layer in enumerate(layers, 1) if _is_map(layer)]
    chosen = [mapping[row] for row in np.unique(np.linspace(0, len(mapping) - 1, _MOST_LAYERS).astype(int))]
    figure = Figure(figsize=(14, 1.25 * len(chosen) + 2.1), layout="constrained")
    left_out = f" ({len(chosen)} of its {len(mapping)} layers that make maps)" if len(chosen) < len(mapping) else ""
    figure.suptitle(heading + left_out)
    bands: NDArray[np.object_] = np.asarray(
        figure.subfigures(len(chosen) + 1, 1, height_ratios=[1.5] + [1.0] * len(chosen))
    )
    first = bands[0].subplots()
    show(first, pixels)
    first.set_axis_off()
    first.set_title(f"input, {_times(pixels.shape)}", fontsize=9)
    for band, (place, layer) in zip(bands[1:], chosen, strict=True):
        channels, height, width = layer.output
        shown = min(_MAPS_A_LAYER, channels)
        name = ", ".join([f"layer {place}: {layer.kind}", *layer.then, _times((height, width, channels))])
        band.suptitle(f"{name}: maps 0 to {shown - 1}, from 0 (black) to the map's maximum", fontsize=9)
        axes = band.subplots()
        axes.set_axis_off()
        axes.imshow(_row(layer.activation[:shown]), cmap="magma", vmin=0, vmax=1, interpolation="nearest")
    return figure


def _row(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    """16 maps side by side as one picture, each divided by its own maximum; gaps and missing maps are NaN.

    Args:
        maps: [C, H, W], C at most 16.
    """
    _, height, width = maps.shape
    scale = math.ceil(_LEAST_SIDE / max(height, width))
    gap = max(1, scale * width // _GAPS)
    row = np.full((scale * height, _MAPS_A_LAYER * (scale * width + gap) - gap), np.nan, np.float32)
    for number, values in enumerate(maps):
        left = number * (scale * width + gap)
        whole = np.repeat(np.repeat(values, scale, axis=0), scale, axis=1)
        row[:, left : left + scale * width] = whole / max(float(values.max()), _LEAST_MAXIMUM)
    return row


def makes_maps(layers: Sequence[Layer]) -> bool:
    """Whether any layer makes feature maps."""
    return any(_is_map(layer) for layer in layers)


def _is_map(layer: Layer) -> bool:
    return layer.activation.ndim == 3 and min(layer.activation.shape[1:]) > 1


def _times(shape: Sequence[int]) -> str:
    return "x".join(str(side) for side in shape)
