"""Loads a Keras network from a file without running code from it, and finds the scaling of its pixels."""

import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np

from training.errors import ImportRefusedError
from training.importing import keras_archive
from training.importing.preprocessing import Preprocessing

_LARGEST_SCALE = 1 / 16  # as in training.importing.input_probe
_ACTIVATIONS = ("activation", "recurrent_activation")
_WITHOUT_GROUPS = ("DepthwiseConv2D", "SeparableConv2D", "Conv2DTranspose")
_MOST_REASON = 300
OF_CONVNEXT: Final = ("LayerScale", "StochasticDepth")
"""Layers of ``keras.applications`` that Keras does not export; only some files state a layer's module."""
_NOT_FOUND = re.compile(r"(?:Could not locate (?:class|function)|Unknown [\w ]+:) '([^']{1,120})'")


def load_network(path: Path, file: keras_archive.KerasFile | None = None) -> keras.Model:
    """Loads a ``.keras`` or ``.h5`` file.

    Args:
        path: of the file.
        file: what it states, where it is checked already.

    Raises:
        ImportRefusedError: it is damaged, contains code, or is one that this Keras cannot load or would load as another
            network.
    """
    file, library = file or keras_archive.check(path), f"Keras {keras.__version__}"
    if file.is_of_keras_2 and any("hard_sigmoid" in keras_archive.names_of(file, key) for key in _ACTIVATIONS):
        raise ImportRefusedError(
            f"{path}: {library} calculates hard_sigmoid in another way than Keras {file.version}, which saved this "
            "file; only `convoy import` reads it as it was"
        )
    if not file.is_archive and (name := keras_archive.several_axes(file)):
        raise ImportRefusedError(
            f"{path}: {library} does not read the axes of layer {name!r} from an HDF5 file; save it as model.keras"
        )
    objects = None if file.is_archive else {name: _of_keras_2(name) for name in _WITHOUT_GROUPS}
    try:
        with tempfile.TemporaryDirectory(prefix="convoy-") as folder:
            named = file.named(path, Path(folder))
            return keras.models.load_model(named, compile=False, safe_mode=True, custom_objects=objects)
    except Exception as error:  # Keras raises whatever a layer does
        if file.is_of_keras_2:
            raise ImportRefusedError(
                f"{path}: {library} cannot load this file of Keras {file.version}, which only `convoy import` reads: "
                f"{first_line(error)}"
            ) from error
        raise cannot_load(path, library, error) from error


def cannot_load(path: Path, library: str, error: Exception) -> ImportRefusedError:
    """What to say where a library, named with its version, does not load a file."""
    if missing := _NOT_FOUND.search(str(error)):
        if missing[1] in OF_CONVNEXT:  # only .keras files state the module of a layer
            return ImportRefusedError(
                f"{path}: {library} does not find {missing[1]!r} of an HDF5 file; if it is the layer of ConvNeXt in "
                "keras.applications, save the model as model.keras; if not, it is custom code, which is not in the "
                "file: export the model to ONNX or a SavedModel (model.export) where it was made"
            )
        return ImportRefusedError(
            f"{path}: {library} does not have {missing[1]!r}; it is custom code, which is not in "
            "the file: export the model to ONNX or a SavedModel (model.export) where it was made"
        )
    return ImportRefusedError(f"{path}: {library} cannot load it: {first_line(error)}")


def _of_keras_2(name: str) -> type[keras.Layer]:
    """A layer's class that ignores ``"groups": 1`` in its configuration, which Keras 2 wrote and Keras 3 refuses."""
    known: type[keras.Layer] = getattr(keras.layers, name)

    def from_config(_: type[keras.Layer], config: dict[str, Any]) -> keras.Layer:
        kept = {key: value for key, value in config.items() if (key, value) != ("groups", 1)}
        layer: keras.Layer = known.from_config(kept)
        return layer

    return type(name, (known,), {"from_config": classmethod(from_config)})


def layers_of(network: keras.Model) -> Iterator[keras.Layer]:
    """Every layer of a network of Keras 2 or 3; a nested model is replaced by its layers."""
    for layer in network.layers:
        if hasattr(layer, "layers") and hasattr(layer, "inputs"):
            yield from layers_of(layer)
        else:
            yield layer


def input_shape(network: keras.Model, path: Path) -> tuple[int | None, int | None, int]:
    """(H, W, C) of the pictures that the network takes; None for an open side.

    Raises:
        ImportRefusedError: it does not take pictures.
    """
    inputs = getattr(network, "inputs", None)
    if not inputs:
        raise ImportRefusedError(
            f"{path}: the network is a custom class, which does not describe its input; export it to a "
            "SavedModel (model.export) where it was made, and import that"
        )
    if len(inputs) != 1:
        raise ImportRefusedError(f"{path}: an image classifier takes one input; this network has {len(inputs)}")
    shape = tuple(inputs[0].shape[1:])
    if len(shape) == 3 and shape[0] in (1, 3) and shape[2] not in (1, 3):
        raise channels_first(path, inputs[0].shape)
    if len(shape) not in (2, 3) or (len(shape) == 3 and shape[2] not in (1, 3)):
        raise ImportRefusedError(
            f"{path}: the network takes {list(inputs[0].shape)}; pictures [N, H, W, 1 or 3] or [N, H, W] are needed"
        )
    height, width, *channels = shape
    return height, width, channels[0] if channels else 1


def channels_first(path: Path, shape: Sequence[int | None]) -> ImportRefusedError:
    """What to say where a network takes the axis of channels before height and width."""
    return ImportRefusedError(
        f"{path}: it takes {list(shape)}, the channels first (data_format='channels_first'), which TensorFlow does not "
        "calculate on a CPU. Convert a SavedModel of it (model.export) and import that: python -m tf2onnx.convert "
        "--saved-model FOLDER --output model.onnx"
    )


def scaling_of(layers: Sequence[keras.Layer]) -> tuple[str, Preprocessing | None]:
    """(names of the layers that scale pixels before the first layer with weights, their rule where it is one).

    Operations such as ``image / 255`` are no layers: :mod:`training.importing.input_probe` finds them in the graph.

    ("", None) where there are none, or where they do not bring 0..255 down to a few units: such a network expects
    pixels that are divided by 255, and multiplies them again for the layers that follow; ("", rule) where it normalises
    such pixels by a rule.
    """
    found, whole = [], 1.0
    for layer in layers:
        if type(layer).__name__ == "Rescaling":
            whole *= float(np.abs(np.asarray(layer.scale)).max())
        elif type(layer).__name__ == "Normalization":
            # Mean and variance are known only after the layer is built.
            whole /= float(np.sqrt(np.asarray(layer.variance)).min()) if layer.built else 255
        else:
            if layer.weights:
                break
            continue
        found.append(layer)
    words = ", ".join(f"{type(layer).__name__} {layer.name!r}" for layer in found)
    rule = _rule_of(found[0]) if len(found) == 1 else None
    if not found or whole > _LARGEST_SCALE:
        return "", rule if rule is not None and rule.fits_unit_range else None
    return words, rule


def _rule_of(layer: keras.Layer) -> Preprocessing | None:
    """What a layer Rescaling subtracts from pixels and divides them by, where it is the same for all channels."""
    if type(layer).__name__ != "Rescaling":
        return None
    scale, offset = np.unique(layer.scale), np.unique(layer.offset)
    if scale.size != 1 or offset.size != 1 or scale[0] == 0:
        return None
    return Preprocessing((float(-offset[0] / scale[0]),), (float(1 / scale[0]),))


def first_line(error: Exception) -> str:
    """The first line of an error message of Keras; if that is only a place in the code, the line with the error.

    Where a layer's whole configuration stands before the cause, only the cause.
    """
    text = str(error).strip() or type(error).__name__
    lines = (text.rpartition("Exception encountered:")[2].strip() or text).splitlines()
    named = (line.strip() for line in lines if "Error" in line)
    return (lines[0] if not lines[0].endswith("in user code:") else next(named, lines[-1].strip()))[:_MOST_REASON]
