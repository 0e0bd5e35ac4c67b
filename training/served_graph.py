"""The network as it is served: uint8 [N, H, W, C] in, calibrated probabilities [N, K] out, in the fewest operations.

A second output, ``features``, is the last feature map.

Equal to the Keras network up to rounding, but laid out for inference:

- channels first, as ONNX convolutions are, so that no layer transposes; with one channel even the first transpose is
  only a reshape;
- the division by 255 is folded into the first kernel, the temperature into the last one: neither costs anything;
- Flatten is one constant reshape, and the rows of the next kernel are reordered instead of the activations;
- Dropout, which does nothing at inference, is gone.
"""

import functools
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from contract import FEATURES_NAME, INPUT_NAME, OUTPUT_NAME
from training.errors import ExportError

Weights = NDArray[np.float32]
Operation = Callable[[tf.Tensor], tf.Tensor]

_ACTIVATIONS = {"linear": tf.identity, "relu": tf.nn.relu, "softmax": tf.nn.softmax}


def served_function(network: keras.Sequential, temperature: float) -> tf.types.experimental.PolymorphicFunction:
    """Makes the function to export.

    Args:
        network: takes pixels divided by 255, float32 [N, H, W, C]; its last layer is a softmax.
        temperature: that the logits are divided by; 1.0 leaves them as they are.

    Returns:
        A ``tf.function`` from ``image`` to ``{"probabilities": ..., "features": ...}``, where the features are what is
        flattened, float32 [N, C, H, W]: a tensor that is there anyway. It is for tracing: channels-first
        convolutions do not run on every CPU build of TensorFlow.

    Raises:
        ExportError: the network has a layer that has no served form here.
    """
    height, width, channels = network.input_shape[1:]
    operations, before_flatten = _operations(network, temperature)

    def served(image: tf.Tensor) -> dict[str, tf.Tensor]:
        values = tf.cast(_channels_first(image), tf.float32)
        for operation in operations[:before_flatten]:
            values = operation(values)
        features = values
        for operation in operations[before_flatten:]:
            values = operation(values)
        return {OUTPUT_NAME: values, FEATURES_NAME: features}

    signature = [tf.TensorSpec([None, height, width, channels], tf.uint8, name=INPUT_NAME)]
    return tf.function(served, input_signature=signature)


def _channels_first(image: tf.Tensor) -> tf.Tensor:
    _, height, width, channels = image.shape
    if channels == 1:
        return tf.reshape(image, [-1, 1, height, width])
    return tf.transpose(image, [0, 3, 1, 2])


def _operations(network: keras.Sequential, temperature: float) -> tuple[list[Operation], int]:
    """The operations of the served network, and how many of them come before it is flattened."""
    input_scale, flattened, before_flatten = np.float32(1 / 255), None, -1
    operations: list[Operation] = []
    for layer in network.layers:
        match layer:
            case keras.layers.Conv2D():
                operations.append(_convolution(layer, input_scale))
                input_scale = np.float32(1)
            case keras.layers.MaxPooling2D():
                operations.append(_pooling(layer))
            case keras.layers.Flatten():
                flattened, before_flatten = layer.input.shape[1:], len(operations)
                size = int(np.prod(flattened))
                operations.append(functools.partial(tf.reshape, shape=[-1, size]))
            case keras.layers.Dense():
                logit_scale = np.float32(1 / temperature) if layer is network.layers[-1] else np.float32(1)
                operations.append(_dense(layer, flattened, logit_scale))
                flattened = None
            case keras.layers.Dropout():
                pass
            case _:
                raise ExportError(f"layer {layer.name!r} ({type(layer).__name__}) has no served form")
    last = network.layers[-1]
    if not isinstance(last, keras.layers.Dense) or last.activation is not keras.activations.softmax:
        raise ExportError(f"the last layer, {last.name!r}, must be a Dense layer with softmax")
    if input_scale != 1:
        raise ExportError("the network has no convolution to fold the division by 255 into")
    if before_flatten < 0:
        raise ExportError("the network has no Flatten layer between its convolutions and its dense layers")
    return operations, before_flatten


def _convolution(layer: keras.layers.Conv2D, input_scale: np.float32) -> Operation:
    if layer.dilation_rate != (1, 1) or layer.groups != 1 or layer.data_format != "channels_last":
        raise ExportError(f"layer {layer.name!r}: dilated, grouped or channels-first convolutions have no served form")
    kernel, bias = _weights(layer)
    activation = _activation(layer)
    kernel = kernel * input_scale
    options = {"strides": layer.strides, "padding": layer.padding.upper(), "data_format": "NCHW"}
    return lambda values: activation(tf.nn.bias_add(tf.nn.conv2d(values, kernel, **options), bias, data_format="NCHW"))


def _pooling(layer: keras.layers.MaxPooling2D) -> Operation:
    options = {"padding": layer.padding.upper(), "data_format": "NCHW"}
    return lambda values: tf.nn.max_pool2d(values, layer.pool_size, layer.strides, **options)


def _dense(layer: keras.layers.Dense, flattened: tuple[int, ...] | None, scale: np.float32) -> Operation:
    kernel, bias = _weights(layer)
    if flattened is not None:
        # Keras flattened [H, W, C], the served graph flattens [C, H, W].
        kernel = kernel.reshape(*flattened, -1).transpose(2, 0, 1, 3).reshape(kernel.shape)
    activation = _activation(layer)
    kernel, bias = kernel * scale, bias * scale
    return lambda values: activation(tf.matmul(values, kernel) + bias)


def _weights(layer: keras.Layer) -> tuple[Weights, Weights]:
    kernel = np.asarray(layer.kernel)
    return kernel, np.asarray(layer.bias) if layer.use_bias else np.zeros(kernel.shape[-1], np.float32)


def _activation(layer: keras.Layer) -> Operation:
    name = keras.activations.serialize(layer.activation)
    try:
        operation: Operation = _ACTIVATIONS[name]
    except KeyError:
        raise ExportError(f"layer {layer.name!r}: activation {name!r} has no served form") from None
    return operation
