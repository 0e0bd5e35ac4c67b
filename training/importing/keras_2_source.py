"""Reads files of Keras 2 that Keras 3 cannot load, with TF-Keras, in which Keras 2 is still maintained.

Up to TensorFlow 2.15, ``model.save("model.keras")`` wrote functional networks in a way that Keras 3 does not read, and
both formats have layers for single operations (``image / 255``) that Keras 3 does not have.
"""

from pathlib import Path

import tensorflow as tf
import tf_keras

from training.importing.keras_network import cannot_load, input_shape
from training.importing.saved_model_source import open_function
from training.importing.source import Source
from training.importing.stated import Stated


def open_keras_2(path: Path, flags: Stated) -> Source:
    """Reads a ``.keras`` or ``.h5`` file, which :mod:`training.importing.keras_archive` has checked, as a source.

    Raises:
        ImportRefusedError: it is damaged, cannot be converted, or is no image classifier.
    """
    library = f"TF-Keras {tf_keras.__version__}"
    try:
        network = tf_keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises whatever a layer does
        raise cannot_load(path, library, error) from error
    is_flat = len(network.inputs[0].shape) == 3 if network.inputs else False

    def answers(*, image: tf.Tensor) -> dict[str, tf.Tensor]:
        values = network(image[..., 0] if is_flat else image, training=False)
        return dict(zip(network.output_names, tf.nest.flatten(values), strict=True))

    spec = tf.TensorSpec([None, *input_shape(network, path)], tf.float32, name="image")
    function = tf.function(answers).get_concrete_function(image=spec)
    return open_function(function, flags, path, "Keras 2", library)
