"""Reads ``.keras`` and ``.h5`` files: any architecture that can be converted, not only Sequential.

::

    file -> checked -> Keras 3, or TF-Keras for a file of Keras 2 -> a function of TensorFlow -> ONNX
"""

from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from training.errors import ImportRefusedError
from training.importing import tensorflow_graph
from training.importing.input_probe import probe_scaling
from training.importing.input_scaling import find_scaling
from training.importing.keras_archive import KerasFile, check
from training.importing.keras_network import first_line, input_shape, layers_of, load_network, scaling_of
from training.importing.keras_resizing import AS_KERAS, ASSUMED_RESIZING, as_keras_resizes, resizing_of, size_is_open
from training.importing.onnx_graph import find_input, find_output
from training.importing.onnx_source import input_size, last_operation
from training.importing.source import Source
from training.importing.stated import Stated, Unclear
from training.importing.tensorflow_answer import answer_of


def open_keras(path: Path, flags: Stated) -> Source:
    """Reads a Keras model as a source.

    Raises:
        ImportRefusedError: it is damaged, contains code, cannot be converted, or is no image classifier.
    """
    file = check(path)
    network, library = _load(path, file)
    layers = list(layers_of(network))
    height, width, channels = input_shape(network, path)
    stated = as_keras_resizes(flags)
    if height is None or width is None:
        stated = Stated.merged([stated, resizing_of(network, layers, flags, path)])
        if stated.size is None:
            if isinstance(stated.resizing, Unclear):
                raise stated.resizing.error
            raise size_is_open(path)
        height, width = height or stated.size.value[0], width or stated.size.value[1]
    else:
        stated = Stated.merged([stated, Stated(resizing=ASSUMED_RESIZING)])
    place = _chosen_output(network, flags, path)

    def answers(image: tf.Tensor) -> tf.Tensor:
        values = network(tf.reshape(image, [-1, *_sides(network, height, width, channels)]), training=False)
        return keras.tree.flatten(values)[place]

    pictures = tf.TensorSpec([None, height, width, channels], tf.float32, name="image")
    try:
        function = tf.function(answers, input_signature=[pictures]).get_concrete_function()
    except Exception as error:
        raise ImportRefusedError(f"{path}: the network does not run: {first_line(error)}") from error
    model = tensorflow_graph.to_onnx(function, str(path))
    output = find_output(model, None, str(path))
    taken = find_input(model, str(path))
    size = input_size(taken, stated, str(path))
    words, rule = scaling_of(layers)
    probed = probe_scaling(model, taken, size)
    if probed is None:
        found = find_scaling(model, taken.name)
        scaling, inside = (words or found[0], found[1]) if found[0] else (words, rule)
    else:  # what the graph was seen to do is certain, also that it does nothing
        scaling, inside = (words or probed[0], probed[1]) if probed[0] else ("", probed[1] or (None if words else rule))
    return Source(
        origin=path,
        kind="Keras" if file.is_archive else "Keras HDF5",
        framework=library,
        layers=len(layers),
        graph=model,
        taken=taken,
        output=output,
        last=last_operation(model, output),
        answer=answer_of(function, pictures, path, output),
        stated=stated,
        resizes=AS_KERAS,
        scales_inside=scaling,
        inside=inside,
    )


def _load(path: Path, file: KerasFile) -> tuple[Any, str]:
    """The network, and the library that calculates it: a file of Keras 2 is calculated by Keras 2."""
    if not file.is_of_keras_2:
        return load_network(path, file), f"Keras {keras.__version__}"
    from training.importing.keras_2_network import LIBRARY, load_keras_2  # noqa: PLC0415  a second Keras, seconds

    return load_keras_2(path, file), LIBRARY


def _chosen_output(network: keras.Model, flags: Stated, path: Path) -> int:
    """The index of the output that classifies; ``--output`` chooses it by the name that Keras gives it.

    Raises:
        ImportRefusedError: there are several and none is chosen, or none has the name.
    """
    outputs, wanted = network.outputs, flags.output.value if flags.output else None
    names = list(getattr(network, "output_names", None) or [output.name for output in outputs])
    listed = ", ".join(f"{name} {list(output.shape)}" for name, output in zip(names, outputs, strict=True))
    if wanted is not None and wanted not in names:
        raise ImportRefusedError(f"--output {wanted}: {path} has no such output; it has {listed}")
    if wanted is None and len(names) > 1:
        raise ImportRefusedError(
            f"{path}: the network has {len(names)} outputs ({listed}); say which one classifies: --output NAME"
        )
    return names.index(wanted) if wanted is not None else 0


def _sides(network: keras.Model, height: int, width: int, channels: int) -> tuple[int, ...]:
    return (height, width) if len(network.inputs[0].shape) == 3 else (height, width, channels)
