"""A table of a network's layers, computed with the usual formulas and checked against Keras.

Output side of a convolution or pooling: W2 = (W1 - F + 2P) / S + 1, rounded down (F kernel, P padding, S stride).
"""

from dataclasses import dataclass

import keras
from rich.console import Console
from rich.table import Table

from training.architectures import ARCHITECTURES
from training.errors import RecipeError

INPUT_SHAPES = {"cifar10": (32, 32, 3), "mnist": (28, 28, 1)}
_CLASSES = 10

Volume = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LayerFacts:
    """One row of the table.

    Attributes:
        name: the layer's name.
        kind: the layer's class.
        kernel: F, side of the window, in pixels; None where there is no window.
        stride: S, in pixels.
        padding: P, on each side, in pixels.
        volume: output (H, W, C) or (units,), computed.
        receptive_field: side of the square of input pixels that one output depends on; None where it is all of them.
        parameters: the number of weights and biases.
        multiply_adds: for one image.
    """

    name: str
    kind: str
    kernel: int | None
    stride: int | None
    padding: int | None
    volume: Volume
    receptive_field: int | None
    parameters: int
    multiply_adds: int


def layer_facts(network: keras.Sequential) -> list[LayerFacts]:
    """Computes every layer's facts from its settings alone.

    Args:
        network: consists of convolutions, poolings, Flatten, Dropout and Dense layers.

    Returns:
        One entry per layer, in order.

    Raises:
        RecipeError: a computed volume or number of parameters is not what Keras says.
    """
    facts: list[LayerFacts] = []
    volume: Volume = network.input_shape[1:]
    field, jump = 1, 1
    for layer in network.layers:
        match layer:
            case keras.layers.Conv2D() | keras.layers.MaxPooling2D():
                row = _windowed(layer, volume, field, jump)
                field, jump = row.receptive_field or field, jump * (row.stride or 1)
            case keras.layers.Dense():
                inputs, units = volume[0], layer.units
                row = LayerFacts(
                    layer.name, "Dense", None, None, None, (units,), None, inputs * units + units, inputs * units
                )
            case keras.layers.Flatten():
                size = volume[0] * volume[1] * volume[2]
                row = LayerFacts(layer.name, "Flatten", None, None, None, (size,), field, 0, 0)
            case _:
                still = facts[-1].receptive_field if facts else field
                row = LayerFacts(layer.name, type(layer).__name__, None, None, None, volume, still, 0, 0)
        volume = row.volume
        if (volume, row.parameters) != (tuple(layer.output.shape[1:]), layer.count_params()):
            raise RecipeError(
                f"layer {row.name!r}: computed {volume} and {row.parameters} parameters, "
                f"but Keras has {tuple(layer.output.shape[1:])} and {layer.count_params()}"
            )
        facts.append(row)
    return facts


def _windowed(layer: keras.Layer, volume: Volume, field: int, jump: int) -> LayerFacts:
    height, width, channels = volume
    convolves = isinstance(layer, keras.layers.Conv2D)
    kernel = (layer.kernel_size if convolves else layer.pool_size)[0]
    stride = layer.strides[0]
    padding = (kernel - 1) // 2 if layer.padding == "same" else 0
    out_height, out_width = ((side - kernel + 2 * padding) // stride + 1 for side in (height, width))
    filters = layer.filters if convolves else channels
    weights = kernel * kernel * channels * filters if convolves else 0
    return LayerFacts(
        name=layer.name,
        kind="Conv2D" if convolves else "MaxPooling2D",
        kernel=kernel,
        stride=stride,
        padding=padding,
        volume=(out_height, out_width, filters),
        receptive_field=field + (kernel - 1) * jump,
        parameters=weights + filters if convolves else 0,
        multiply_adds=weights * out_height * out_width,
    )


def describe(data_set: str) -> list[LayerFacts]:
    """Prints the table of a data set's network.

    Args:
        data_set: ``cifar10`` or ``mnist``.

    Returns:
        The rows that were printed.
    """
    shape = INPUT_SHAPES[data_set]
    network = ARCHITECTURES[f"{data_set}_cnn"](shape, _CLASSES)
    facts = layer_facts(network)
    table = Table("layer", "kind", title=f"{network.name}, input {_times(shape)}", show_footer=True)
    for heading in ("kernel", "stride", "padding", "output volume", "receptive field"):
        table.add_column(heading, justify="right")
    table.add_column("parameters", justify="right", footer=f"{sum(row.parameters for row in facts):,}")
    table.add_column("multiply-adds", justify="right", footer=f"{sum(row.multiply_adds for row in facts):,}")
    for row in facts:
        table.add_row(
            row.name,
            row.kind,
            f"{row.kernel}x{row.kernel}" if row.kernel else "",
            _or_nothing(row.stride),
            _or_nothing(row.padding),
            _times(row.volume),
            f"{row.receptive_field}x{row.receptive_field}" if row.receptive_field else "all",
            f"{row.parameters:,}",
            f"{row.multiply_adds:,}",
        )
    console = Console(highlight=False, width=130)
    console.print(table)
    console.print(
        "Output side: W2 = (W1 - F + 2P) / S + 1, rounded down. Every volume and parameter count agrees with Keras."
    )
    return facts


def _times(volume: Volume) -> str:
    return "x".join(str(side) for side in volume)


def _or_nothing(value: int | None) -> str:
    return "" if value is None else str(value)
