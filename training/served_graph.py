"""The network as it is served: uint8 [N, H, W, C] in, calibrated probabilities [N, K] out, in the fewest operations.

A second output, ``features``, is the last feature map.

Equal to the Keras network up to rounding, but laid out for inference:

- channels first, as ONNX convolutions are, so that no layer transposes; with one channel even the first transpose is
  only a reshape;
- the division by 255 is folded into the first kernel, the temperature and other constant factors into the last one,
  and a normalisation into the convolution before it: none of them costs anything;
- Flatten is one constant reshape, and the rows of the next kernel are reordered instead of the activations;
- Dropout, which does nothing at inference, is gone.

A network on a backbone (:mod:`training.backbone`) keeps the backbone's own layers, of any kind, up to the feature map.
"""

import functools
from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from contract import FEATURES_NAME, INPUT_NAME, OUTPUT_NAME
from training.errors import ExportError

Weights = NDArray[np.float32]
Operation = Callable[[tf.Tensor], tf.Tensor]


def _gelu(values: tf.Tensor) -> tf.Tensor:
    """GELU, written so that ONNX Runtime recognises it and makes it one operation (tf.nn.gelu has no ONNX form)."""
    return values * (tf.math.erf(values / np.float32(np.sqrt(2))) + 1) * np.float32(0.5)


_ACTIVATIONS = {"linear": tf.identity, "relu": tf.nn.relu, "gelu": _gelu, "softmax": tf.nn.softmax}


def served_function(
    network: keras.Sequential, temperature: float, *, mirrored_view: bool = False
) -> tf.types.experimental.PolymorphicFunction:
    """Makes the function to export.

    Args:
        network: takes pixels divided by 255, float32 [N, H, W, C]; its last layer is a softmax.
        temperature: the divisor of the logits; 1.0 leaves them as they are.
        mirrored_view: answer from the mean logits of each picture and its mirror image, at twice the cost.

    Returns:
        A ``tf.function`` from ``image`` to ``{"probabilities": ..., "features": ...}``. The features are the tensor
        that is flattened or pooled, float32 [N, C, H, W], so they cost nothing extra. The function is only for tracing:
        channels-first convolutions do not run on every CPU build of TensorFlow.

    Raises:
        ExportError: the network has a layer that has no served form here.
    """
    height, width, channels = network.input_shape[1:]
    body, head = _operations(network, temperature)

    def served(image: tf.Tensor) -> dict[str, tf.Tensor]:
        # One batch of both views: [N], and then [N] mirrored.
        views = tf.concat([image, image[:, :, ::-1]], axis=0) if mirrored_view else image
        features = _applied(body, views)
        if not mirrored_view:
            return {OUTPUT_NAME: _applied(head, features), FEATURES_NAME: features}
        pooled = _applied(head[:-1], features)
        # The last layer is linear up to its softmax, so this is the mean of both views' logits.
        mean = tf.reduce_mean(tf.reshape(pooled, [2, -1, pooled.shape[-1]]), axis=0)
        pictures = tf.reshape(features, [2, -1, *features.shape[1:]])
        return {OUTPUT_NAME: head[-1](mean), FEATURES_NAME: pictures[0]}

    signature = [tf.TensorSpec([None, height, width, channels], tf.uint8, name=INPUT_NAME)]
    return tf.function(served, input_signature=signature)


def _applied(operations: Sequence[Operation], values: tf.Tensor) -> tf.Tensor:
    for operation in operations:
        values = operation(values)
    return values


def _channels_first(image: tf.Tensor) -> tf.Tensor:
    _, height, width, channels = image.shape
    if channels == 1:
        return tf.reshape(image, [-1, 1, height, width])
    return tf.transpose(image, [0, 3, 1, 2])


def _operations(network: keras.Sequential, temperature: float) -> tuple[list[Operation], list[Operation]]:
    """The operations of the served network: up to the last feature map, and from there on."""
    first_of_head = next((index for index, layer in enumerate(network.layers) if isinstance(layer, _HEADS)), None)
    if first_of_head is None:
        raise ExportError("the network has no Flatten or global pooling between its convolutions and its dense layers")
    before, head = network.layers[:first_of_head], network.layers[first_of_head:]
    body = _called(before) if on_backbone(network) else [_channels_first, _floats, *_body(before)]
    return body, _head(head, temperature)


def on_backbone(network: keras.Sequential) -> bool:
    """Whether one of the network's layers is itself a network."""
    return any(isinstance(layer, keras.Model) for layer in network.layers)


def _called(layers: Sequence[keras.Layer]) -> list[Operation]:
    """Keras' own layers, unchanged, from pixels to a feature map that is then transposed to channels first."""
    calls = [functools.partial(layer, training=False) for layer in layers]
    return [_floats, lambda pixels: pixels / np.float32(255), *calls, lambda values: tf.transpose(values, [0, 3, 1, 2])]


def _floats(pixels: tf.Tensor) -> tf.Tensor:
    return tf.cast(pixels, tf.float32)


_HEADS = keras.layers.Flatten, keras.layers.GlobalMaxPooling2D, keras.layers.GlobalAveragePooling2D


def _body(layers: Sequence[keras.Layer]) -> list[Operation]:
    input_scale = np.float32(1 / 255)
    operations: list[Operation] = []
    for layer in layers:
        match layer:
            case keras.layers.Conv2D():
                operations.append(_Convolution(layer, input_scale))
                input_scale = np.float32(1)
            case keras.layers.MaxPooling2D():
                operations.append(_MaxPooling(layer))
            case keras.layers.BatchNormalization():
                _fold_normalisation(layer, operations)
            case keras.layers.Activation():
                operations.append(_activation(layer))
            case keras.layers.Dropout():
                pass
            case _:
                raise _no_served_form(layer)
    if input_scale != 1:
        raise ExportError("the network has no convolution to fold the division by 255 into")
    return operations


def _head(layers: Sequence[keras.Layer], temperature: float) -> list[Operation]:
    kernel_scale, flattened = np.float32(1), None
    operations: list[Operation] = []
    for layer in layers:
        match layer:
            case keras.layers.Flatten():
                flattened = layer.input.shape[1:]
                operations.append(functools.partial(tf.reshape, shape=[-1, int(np.prod(flattened))]))
            case keras.layers.GlobalMaxPooling2D():
                operations.append(functools.partial(tf.reduce_max, axis=[2, 3]))
            case keras.layers.GlobalAveragePooling2D():
                operations.append(functools.partial(tf.reduce_mean, axis=[2, 3]))
            case keras.layers.Rescaling(offset=0):
                kernel_scale = np.float32(layer.scale)
            case keras.layers.Dense():
                logit_scale = np.float32(1 / temperature) if layer is layers[-1] else np.float32(1)
                operations.append(_dense(layer, flattened, kernel_scale=kernel_scale, scale=logit_scale))
                flattened, kernel_scale = None, np.float32(1)
            case keras.layers.Dropout():
                pass
            case _:
                raise _no_served_form(layer)
    last = layers[-1]
    if not isinstance(last, keras.layers.Dense) or last.activation is not keras.activations.softmax:
        raise ExportError(f"the last layer, {last.name!r}, must be a Dense layer with softmax")
    return operations


def _no_served_form(layer: keras.Layer) -> ExportError:
    return ExportError(f"layer {layer.name!r} ({type(layer).__name__}) has no served form")


class _Convolution:
    """A convolution; a normalisation that follows may later be folded into its weights."""

    def __init__(self, layer: keras.layers.Conv2D, input_scale: np.float32) -> None:
        if layer.dilation_rate != (1, 1) or layer.groups != 1 or layer.data_format != "channels_last":
            raise ExportError(
                f"layer {layer.name!r}: dilated, grouped or channels-first convolutions have no served form"
            )
        kernel, self.bias = _weights(layer)
        self.kernel = kernel * input_scale
        self.activation = _activation(layer)
        self.is_linear = layer.activation is keras.activations.linear
        self._options = {"strides": layer.strides, "padding": layer.padding.upper(), "data_format": "NCHW"}

    def __call__(self, values: tf.Tensor) -> tf.Tensor:
        convolved = tf.nn.conv2d(values, self.kernel, **self._options)
        return self.activation(tf.nn.bias_add(convolved, self.bias, data_format="NCHW"))


class _MaxPooling:
    def __init__(self, layer: keras.layers.MaxPooling2D) -> None:
        self._layer = layer

    def __call__(self, values: tf.Tensor) -> tf.Tensor:
        layer = self._layer
        return tf.nn.max_pool2d(values, layer.pool_size, layer.strides, layer.padding.upper(), data_format="NCHW")


def _fold_normalisation(layer: keras.layers.BatchNormalization, operations: list[Operation]) -> None:
    """Folds the normalisation into the convolution before it, or appends an operation where that is not possible."""
    mean, variance = (np.asarray(weights, np.float64) for weights in (layer.moving_mean, layer.moving_variance))
    factor = (np.asarray(layer.gamma, np.float64) if layer.scale else 1.0) / np.sqrt(variance + layer.epsilon)
    offset = (np.asarray(layer.beta, np.float64) if layer.center else 0.0) - mean * factor
    pooled = bool(operations) and isinstance(operations[-1], _MaxPooling)
    before = operations[-2 if pooled else -1] if len(operations) > pooled else None
    # A max pooling in between is allowed for positive factors only: a negative one changes which value is largest.
    if isinstance(before, _Convolution) and before.is_linear and (not pooled or bool((factor > 0).all())):
        before.kernel = (before.kernel * factor).astype(np.float32)
        before.bias = (before.bias * factor + offset).astype(np.float32)
        return
    factors, offsets = (values.astype(np.float32)[:, None, None] for values in (factor, offset))
    operations.append(lambda values: values * factors + offsets)


def _dense(
    layer: keras.layers.Dense, flattened: tuple[int, ...] | None, *, kernel_scale: np.float32, scale: np.float32
) -> Operation:
    kernel, bias = _weights(layer)
    kernel = kernel * kernel_scale
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
