"""Inside the network: what its first kernels look like, and what one picture becomes, layer by layer."""

import math

import keras
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from training.batches import as_network_input
from training.data.dataset import LabelledImages
from training.figures.grid import show

_COLUMNS = 8
_MAPS_A_LAYER = 16
_LEAST_MAXIMUM = 1e-6  # of a map that is black everywhere


def first_kernels(network: keras.Sequential) -> Figure:
    """The first convolution's kernels, each as a small picture."""
    layer = next(layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D))
    kernels: NDArray[np.float32] = np.asarray(layer.kernel)
    height, width, channels, filters = kernels.shape
    rows = math.ceil(filters / _COLUMNS)
    figure = Figure(figsize=(1.1 * _COLUMNS, 1.3 * rows + 1), layout="constrained")
    size = f"{filters} kernels of {height}x{width}"
    limit = float(np.abs(kernels).max())
    if channels == 3:
        figure.suptitle(
            f"First layer, {layer.name}: {size}, red, green and blue weights\nmid-grey is 0, full colour ±{limit:.2f}"
        )
    else:
        figure.suptitle(f"First layer, {layer.name}: {size}\nred is positive, blue is negative, white is 0")
    grid = figure.subplots(rows, _COLUMNS, squeeze=False)
    for number, axes in enumerate(grid.flat):
        axes.set_axis_off()
        if number >= filters:
            continue
        kernel = kernels[..., number]
        if channels == 3:
            axes.imshow(kernel / (2 * limit) + 0.5)
        else:
            image = axes.imshow(kernel[..., 0], cmap="RdBu_r", vmin=-limit, vmax=limit)
        axes.set_title(f"{number}", fontsize=8)
    if channels != 3:
        figure.colorbar(image, ax=grid, label="weight", shrink=0.8)
    return figure


def feature_maps(network: keras.Sequential, images: LabelledImages, row: int, label: str) -> Figure:
    """What each activation (or convolution and pooling) makes of one picture: 16 maps, each scaled to its own maximum.

    Args:
        network: the Keras network.
        images: where the picture is.
        row: which it is.
        label: its true class.

    Returns:
        The figure.
    """
    layers = _shown_layers(network)
    inputs, _ = as_network_input(images.take(slice(row, row + 1)), network.output_shape[-1])
    outputs = keras.Model(network.inputs, [layer.output for layer in layers]).predict(inputs, verbose=0)
    figure = Figure(figsize=(14, 1.25 * len(layers) + 2.1), layout="constrained")
    figure.suptitle(f"What the network makes of one test image: {label}")
    bands: NDArray[np.object_] = np.asarray(
        figure.subfigures(len(layers) + 1, 1, height_ratios=[1.5] + [1.0] * len(layers))
    )
    first = bands[0].subplots()
    show(first, images.pixels[row])
    first.set_axis_off()
    first.set_title(f"input, {_size(images.pixels.shape)}", fontsize=9)
    for band, layer, output in zip(bands[1:], layers, outputs, strict=True):
        shown = min(_MAPS_A_LAYER, output.shape[-1])
        band.suptitle(
            f"{layer.name}, {_size(output.shape)}: maps 0 to {shown - 1}, from 0 (black) to the map's maximum",
            fontsize=9,
        )
        for number, axes in enumerate(band.subplots(1, _MAPS_A_LAYER).flat):
            axes.set_axis_off()
            if number < shown:
                values = output[0, ..., number]
                axes.imshow(values, cmap="magma", vmin=0, vmax=max(float(values.max()), _LEAST_MAXIMUM))
    return figure


def _shown_layers(network: keras.Sequential) -> list[keras.Layer]:
    """The activations where they are layers of their own: what convolutions answer before is not yet used."""
    activations = [layer for layer in network.layers if isinstance(layer, keras.layers.Activation)]
    windowed = keras.layers.Conv2D, keras.layers.MaxPooling2D
    return activations or [layer for layer in network.layers if isinstance(layer, windowed)]


def _size(shape: tuple[int, ...]) -> str:
    return "x".join(str(side) for side in shape[1:])
