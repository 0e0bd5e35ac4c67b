"""The networks, layer by layer, for any number of classes.

Input is float32 [N, H, W, C], pixels divided by 255; output is a probability for each class. A network depends only on
the input shape and the number of classes, so each can be trained on other pictures. ``cifar10_cnn`` and ``mnist_cnn``
are the networks of the two notebooks; ``airbench_cnn`` and ``airbench_small_cnn`` follow airbench94 (K. Jordan, "94% on
CIFAR-10 in 3.29 Seconds on a Single GPU", 2024, arXiv 2404.00498).
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import keras
from keras import layers

InputShape = tuple[int, int, int]

_LEAST_OWN_SIDE, _MOST_OWN_FILTERS = 7, 256


def cifar10_cnn(input_shape: InputShape, classes: int) -> keras.Sequential:
    """Three convolutions and a dense layer, as in the CIFAR-10 notebook."""
    return keras.Sequential(
        [
            keras.Input(input_shape, name="pixels"),
            layers.Conv2D(16, 3, padding="same", activation="relu", name="conv1"),
            layers.MaxPooling2D(2, name="pool1"),
            layers.Conv2D(32, 3, padding="same", activation="relu", name="conv2"),
            layers.MaxPooling2D(2, name="pool2"),
            layers.Conv2D(64, 3, padding="same", activation="relu", name="conv3"),
            layers.MaxPooling2D(2, name="pool3"),
            layers.Dropout(0.3, name="dropout1"),
            layers.Flatten(name="flatten"),
            layers.Dense(500, activation="relu", name="dense1"),
            layers.Dropout(0.3, name="dropout2"),
            layers.Dense(classes, activation="softmax", name="probabilities"),
        ],
        name="cifar10_cnn",
    )


def mnist_cnn(input_shape: InputShape, classes: int) -> keras.Sequential:
    """Two convolutions and a dense layer, as in the MNIST notebook."""
    return keras.Sequential(
        [
            keras.Input(input_shape, name="pixels"),
            layers.Conv2D(32, 5, padding="valid", activation="relu", name="conv1"),
            layers.MaxPooling2D(2, name="pool1"),
            layers.Dropout(0.25, name="dropout1"),
            layers.Conv2D(64, 3, padding="same", activation="relu", name="conv2"),
            layers.MaxPooling2D(2, strides=2, name="pool2"),
            layers.Dropout(0.25, name="dropout2"),
            layers.Flatten(name="flatten"),
            layers.Dense(256, activation="relu", name="dense1"),
            layers.Dropout(0.5, name="dropout3"),
            layers.Dense(classes, activation="softmax", name="probabilities"),
        ],
        name="mnist_cnn",
    )


def airbench_cnn(input_shape: InputShape, classes: int) -> keras.Sequential:
    """airbench94's network: whitened 2x2 patches, then three blocks of two convolutions; 118 million multiply-adds."""
    return _airbench("airbench_cnn", input_shape, classes, ((64, 64), (256, 256), (256, 256)))


def airbench_small_cnn(input_shape: InputShape, classes: int) -> keras.Sequential:
    """The same network with less than half the channels: 29 million multiply-adds."""
    return _airbench("airbench_small_cnn", input_shape, classes, ((28, 28), (120, 120), (128, 128)))


def mnist_deep_cnn(input_shape: InputShape, classes: int) -> keras.Sequential:
    """Five normalised convolutions without padding, 9.5 million multiply-adds for 28x28.

    The first has 5x5 kernels at the full size, which costs little since its input has one channel.
    """
    stack: list[keras.Layer] = [keras.Input(input_shape, name="pixels")]
    for number, (filters, side) in enumerate(((32, 5), (64, 3), (80, 3), (96, 3), (128, 3)), 1):
        stack.append(layers.Conv2D(filters, side, use_bias=False, name=f"conv{number}"))
        stack.append(layers.BatchNormalization(momentum=0.9, name=f"norm{number}"))
        stack.append(layers.Activation("relu", name=f"relu{number}"))
        if number == 1:
            stack.append(layers.MaxPooling2D(2, name="pool1"))
    stack += [
        layers.Flatten(name="flatten"),
        layers.Dropout(0.3, name="dropout"),
        layers.Dense(classes, activation="softmax", name="probabilities"),
    ]
    return keras.Sequential(stack, name="mnist_deep_cnn")


def own_cnn(input_shape: InputShape, classes: int) -> keras.Sequential:
    """Normalised convolutions, pooled until the shorter side is at most 7 pixels, then a global mean."""
    stack: list[keras.Layer] = [keras.Input(input_shape, name="pixels")]
    side, filters, number = min(input_shape[:2]), 32, 0
    while True:
        number += 1
        stack.append(layers.Conv2D(filters, 3, padding="same", use_bias=False, name=f"conv{number}"))
        stack.append(layers.BatchNormalization(momentum=0.9, name=f"norm{number}"))
        stack.append(layers.Activation("relu", name=f"relu{number}"))
        if side <= _LEAST_OWN_SIDE:
            break
        stack.append(layers.MaxPooling2D(2, name=f"pool{number}"))
        side, filters = side // 2, min(2 * filters, _MOST_OWN_FILTERS)
    stack += [
        layers.GlobalAveragePooling2D(name="mean"),
        layers.Dropout(0.2, name="dropout"),
        layers.Dense(classes, activation="softmax", name="probabilities"),
    ]
    return keras.Sequential(stack, name="own_cnn")


def _airbench(
    name: str, input_shape: InputShape, classes: int, widths: tuple[tuple[int, int], ...]
) -> keras.Sequential:
    """Airbench's layers; :mod:`training.initial_weights` sets their initial weights.

    The normalisations have no scale factor, as in airbench. So each can be folded into the convolution before it, even
    where a max pooling is between the two.
    """
    patches = 2 * 2 * input_shape[2]
    stack: list[keras.Layer] = [
        keras.Input(input_shape, name="pixels"),
        layers.Conv2D(2 * patches, 2, use_bias=False, trainable=False, name="whitening"),
        layers.BatchNormalization(scale=False, momentum=0.6, name="centre"),
        layers.Activation("gelu", name="gelu"),
    ]
    for block, filters in enumerate(widths, 1):
        for number, width in enumerate(filters, 1):
            place = f"{block}_{number}"
            start = keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform")
            stack.append(
                layers.Conv2D(width, 3, padding="same", use_bias=False, kernel_initializer=start, name=f"conv{place}")
            )
            if number == 1:
                stack.append(layers.MaxPooling2D(2, name=f"pool{block}"))
            stack.append(layers.BatchNormalization(scale=False, momentum=0.6, name=f"norm{place}"))
            stack.append(layers.Activation("gelu", name=f"gelu{place}"))
    stack += [
        layers.GlobalMaxPooling2D(name="pool"),
        # airbench multiplies its logits by the same factor; without it the first steps would be too large.
        layers.Rescaling(1 / 9, name="rescale"),
        layers.Dense(
            classes,
            activation="softmax",
            use_bias=False,
            kernel_initializer=keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform"),
            name="probabilities",
        ),
    ]
    return keras.Sequential(stack, name=name)


ARCHITECTURES: Mapping[str, Callable[[InputShape, int], keras.Sequential]] = MappingProxyType(
    {
        "cifar10_cnn": cifar10_cnn,
        "mnist_cnn": mnist_cnn,
        "airbench_cnn": airbench_cnn,
        "airbench_small_cnn": airbench_small_cnn,
        "mnist_deep_cnn": mnist_deep_cnn,
        "own_cnn": own_cnn,
    }
)
