"""Loads a Keras network from a file without running code from it, and finds the scaling of its pixels."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import keras
import numpy as np

from training.errors import ImportRefusedError
from training.importing import keras_archive
from training.importing.preprocessing import Preprocessing

_SCALING_OPERATIONS = ("TrueDivide", "Divide", "Multiply", "Subtract", "Add", "TFOpLambda")
_LARGEST_SCALE = 1 / 16  # as in training.importing.input_probe


def load_network(path: Path) -> keras.Model:
    """Loads a ``.keras`` or ``.h5`` file.

    Raises:
        ImportRefusedError: it is damaged, or contains code.
    """
    is_archive = path.suffix.lower() == ".keras"
    (keras_archive.check_keras if is_archive else keras_archive.check_h5)(path)
    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises whatever a layer does
        raise ImportRefusedError(f"{path}: Keras {keras.__version__} cannot load it: {first_line(error)}") from error


def layers_of(network: keras.Model) -> Iterator[keras.Layer]:
    """Every layer; a nested model is replaced by its layers."""
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            yield from layers_of(layer)
        else:
            yield layer


def scaling_of(layers: Sequence[keras.Layer]) -> tuple[str, Preprocessing | None]:
    """(names of the layers that scale pixels before the first layer with weights, their rule where it is one).

    ("", None) where there are none, or where they do not bring 0..255 down to a few units: such a network expects
    pixels that are divided by 255, and multiplies them again for the layers that follow.
    """
    found, whole = [], 1.0
    for layer in layers:
        name = type(layer).__name__
        if isinstance(layer, keras.layers.Rescaling):
            whole *= float(np.abs(np.asarray(layer.scale)).max())
        elif isinstance(layer, keras.layers.Normalization):
            # Mean and variance are known only after the layer is built.
            whole /= float(np.sqrt(np.asarray(layer.variance)).min()) if layer.built else 255
        elif name in _SCALING_OPERATIONS:
            whole = min(whole, _LARGEST_SCALE)  # the factor is not known
        else:
            if layer.weights:
                break
            continue
        found.append(layer)
    words = ", ".join(f"{type(layer).__name__} {layer.name!r}" for layer in found)
    if not found or whole > _LARGEST_SCALE:
        return "", None
    if len(found) == 1 and isinstance(found[0], keras.layers.Rescaling):
        scale, offset = np.unique(found[0].scale), np.unique(found[0].offset)
        if scale.size == offset.size == 1 and scale[0] != 0:
            return words, Preprocessing((float(-offset[0] / scale[0]),), (float(1 / scale[0]),))
    return words, None


def first_line(error: Exception) -> str:
    """The first line of an error message of Keras; if that is only a place in the code, the line with the error."""
    lines = (str(error).strip() or type(error).__name__).splitlines()
    named = (line.strip() for line in lines if "Error" in line)
    return (lines[0] if not lines[0].endswith("in user code:") else next(named, lines[-1].strip()))[:300]
