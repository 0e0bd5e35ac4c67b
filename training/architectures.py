"""The two notebooks' networks, layer by layer, for any number of classes.

Input is float32 [N, H, W, C], pixels divided by 255; output is a probability for each class. Neither network knows
anything of its data set but the shape, so both can be trained on other pictures.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import keras
from keras import layers

InputShape = tuple[int, int, int]


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


ARCHITECTURES: Mapping[str, Callable[[InputShape, int], keras.Sequential]] = MappingProxyType(
    {"cifar10_cnn": cifar10_cnn, "mnist_cnn": mnist_cnn}
)
