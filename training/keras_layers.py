"""Lists the layers of any Keras network as rows of a table."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import keras

from training.importing.keras_network import layers_of
from training.layer_row import LayerRow

_FREE = (
    keras.layers.Activation,
    keras.layers.BatchNormalization,
    keras.layers.LayerNormalization,
    keras.layers.Normalization,
    keras.layers.Rescaling,
)


def keras_rows(network: keras.Model) -> tuple[list[LayerRow], Counter[str]]:
    """Lists the layers of a network, and those of nested models in their place.

    Returns:
        One row for each layer that has weights or a window, and how many others of each kind there are.
    """
    listed, others = [], Counter[str]()
    for layer in layers_of(network):
        if layer.weights or hasattr(layer, "pool_size"):
            listed.append(_row(layer))
        elif not isinstance(layer, keras.layers.InputLayer):
            others[type(layer).__name__] += 1
    return listed, others


def _row(layer: keras.Layer) -> LayerRow:
    taken, made = _shape(layer, "input"), _shape(layer, "output")
    kernel = getattr(layer, "kernel_size", None) or getattr(layer, "pool_size", ())
    kernel = kernel if isinstance(kernel, Sequence) else (kernel,)
    strides = getattr(layer, "strides", ())
    strides = strides if isinstance(strides, Sequence) else (strides,)
    padding = getattr(layer, "padding", "")
    return LayerRow(
        name=layer.name,
        kind=type(layer).__name__,
        kernel="x".join(str(side) for side in kernel),
        stride=str(strides[0]) if strides and len(set(strides)) == 1 else "x".join(str(side) for side in strides),
        padding=padding if isinstance(padding, str) and padding != "valid" else "",
        output="?" if made is None else "x".join("?" if side is None else str(side) for side in made),
        parameters=layer.count_params(),
        multiply_adds=_multiply_adds(layer, taken, made),
    )


def _multiply_adds(layer: keras.Layer, taken: Any, made: Any) -> int | None:
    """Multiply-adds for one picture; None where shapes are open, or the cost of this kind of layer is not known."""
    if not layer.weights or isinstance(layer, _FREE):
        return 0
    kernels = [
        kernel
        for name in ("kernel", "depthwise_kernel", "pointwise_kernel")
        if (kernel := getattr(layer, name, None)) is not None and hasattr(kernel, "shape")
    ]
    is_transposed = "Transpose" in type(layer).__name__
    shape = taken if is_transposed else made
    is_known = isinstance(layer, keras.layers.Dense) or hasattr(layer, "kernel_size")
    if not kernels or not is_known or shape is None or any(side is None for side in shape[:-1]):
        return None
    # One product for each weight at each place; the last axis holds channels.
    return int(math.prod(shape[:-1])) * sum(int(math.prod(kernel.shape)) for kernel in kernels)


def _shape(layer: keras.Layer, kind: str) -> tuple[int | None, ...] | None:
    try:
        tensor = getattr(layer, kind)
    except (AttributeError, ValueError):  # used twice, or never called
        return None
    return tuple(tensor.shape[1:]) if isinstance(tensor, keras.KerasTensor) else None
