"""``.keras`` and ``.h5`` files as sources: any architecture that can be converted, not only Sequential."""

from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from training.errors import ImportRefusedError
from training.importing import keras_archive, tensorflow_graph
from training.importing.onnx_graph import find_input, find_output
from training.importing.onnx_source import input_size, last_operation
from training.importing.preprocessing import Preprocessing
from training.importing.resizing import Resizing
from training.importing.source import Answer, Source
from training.importing.stated import Fact, Stated

_BATCH = 64
_SCALING_OPERATIONS = ("TrueDivide", "Divide", "Multiply", "Subtract", "Add", "TFOpLambda")
ASSUMED_RESIZING = Fact(
    Resizing("stretch", antialias=False),
    "assumed, as image_dataset_from_directory of Keras does; --resize changes it",
)


def open_keras(path: Path, flags: Stated) -> Source:
    """Reads a Keras model as a source.

    Raises:
        ImportRefusedError: it is damaged, holds code, cannot be converted, or is no image classifier.
    """
    is_archive = path.suffix.lower() == ".keras"
    (keras_archive.check_keras if is_archive else keras_archive.check_h5)(path)
    try:
        network = keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises whatever a layer does
        raise ImportRefusedError(f"{path}: Keras {keras.__version__} cannot load it: {_first_line(error)}") from error
    layers = list(_layers(network))
    scaling, inside = _scaling(layers)
    height, width, channels = _input_shape(network, flags, path)

    def answers(image: tf.Tensor) -> tf.Tensor:
        return network(tf.reshape(image, [-1, *_sides(network, height, width, channels)]), training=False)

    signature = [tf.TensorSpec([None, height, width, channels], tf.float32, name="image")]
    try:
        function = tf.function(answers, input_signature=signature).get_concrete_function()
    except Exception as error:
        raise ImportRefusedError(f"{path}: the network does not run: {_first_line(error)}") from error
    model = tensorflow_graph.to_onnx(function, str(path))
    output = find_output(model, flags.output.value if flags.output else None, str(path))
    taken = find_input(model, str(path))
    stated = Stated.merged([flags, Stated(resizing=ASSUMED_RESIZING)])
    input_size(taken, stated, str(path))
    return Source(
        origin=path,
        kind="Keras" if is_archive else "Keras HDF5",
        framework=f"Keras {keras.__version__}",
        layers=len(layers),
        graph=model,
        taken=taken,
        output=output,
        last=last_operation(model, output),
        answer=_answer(function),
        stated=stated,
        scales_inside=scaling,
        inside=inside,
    )


def _answer(function: tf.types.experimental.ConcreteFunction) -> Answer:
    def answer(values: NDArray[np.float32]) -> NDArray[np.generic]:
        pieces = [
            function(tf.constant(values[start : start + _BATCH])).numpy() for start in range(0, len(values), _BATCH)
        ]
        whole: NDArray[np.generic] = np.concatenate(pieces)
        return whole.reshape(len(values), -1)

    return answer


def _input_shape(network: keras.Model, flags: Stated, path: Path) -> tuple[int, int, int]:
    """(H, W, C) of the pictures that the network takes.

    Raises:
        ImportRefusedError: it takes something else, or leaves open what nobody says.
    """
    inputs = network.inputs
    if len(inputs) != 1:
        raise ImportRefusedError(f"{path}: an image classifier takes one input; this network has {len(inputs)}")
    shape = tuple(inputs[0].shape[1:])
    if len(shape) not in (2, 3) or (len(shape) == 3 and shape[2] not in (1, 3)):
        raise ImportRefusedError(
            f"{path}: the network takes {list(inputs[0].shape)}; pictures [N, H, W, 1 or 3] or [N, H, W] are needed"
        )
    height, width, *channels = shape
    if height is None or width is None:
        if flags.size is None:
            raise ImportRefusedError(
                f"{path}: the network leaves height and width open; say them: --size 224 or 48x192"
            )
        height, width = flags.size.value
    return height, width, channels[0] if channels else 1


def _sides(network: keras.Model, height: int, width: int, channels: int) -> tuple[int, ...]:
    return (height, width) if len(network.inputs[0].shape) == 3 else (height, width, channels)


def _layers(network: keras.Model) -> Iterator[keras.Layer]:
    """Every layer, those of nested models in their place."""
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            yield from _layers(layer)
        else:
            yield layer


def _scaling(layers: list[keras.Layer]) -> tuple[str, Preprocessing | None]:
    """What scales pixels before the first layer that learned something: in words, and as a rule where it is one."""
    found = []
    for layer in layers:
        name = type(layer).__name__
        if isinstance(layer, keras.layers.Rescaling | keras.layers.Normalization) or name in _SCALING_OPERATIONS:
            found.append(layer)
        elif layer.weights:
            break
    words = ", ".join(f"{type(layer).__name__} {layer.name!r}" for layer in found)
    if len(found) == 1 and isinstance(found[0], keras.layers.Rescaling):
        scale, offset = np.unique(found[0].scale), np.unique(found[0].offset)
        if scale.size == offset.size == 1 and scale[0] != 0:
            return words, Preprocessing((float(-offset[0] / scale[0]),), (float(1 / scale[0]),))
    return words, None


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]
