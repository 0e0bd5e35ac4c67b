"""Loads networks of Keras 2 with TF-Keras, in which Keras 2 is still maintained.

Keras 3 loads some of these files too, but not as the same network: it calculates ``hard_sigmoid`` and ``RandomCrop`` in
another way, and ignores ``training=True`` of one layer. TF-Keras runs code from some files, so only what is known to
calculate is loaded: its public layers, and operations on tensors.
"""

import inspect
import re
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import h5py
import tf_keras
from tf_keras.src.applications import convnext

from training.errors import ImportRefusedError
from training.importing.keras_archive import KerasFile, check_whole, dictionaries
from training.importing.keras_network import OF_CONVNEXT, cannot_load

LIBRARY: Final = f"TF-Keras {tf_keras.__version__}"

_WEIGHTS = "model.weights.h5"
_MODULES = (
    "layers",
    "initializers",
    "regularizers",
    "constraints",
    "mixed_precision",
    "optimizers",
    "losses",
    "metrics",
)
# These read files, or run code.
_REFUSED = {"Lambda", "TextVectorization", "StringLookup", "IntegerLookup", "DenseFeatures"}
_OPERATIONS = {"TFOpLambda", "SlicingOpLambda"}
_VALUES = {"TensorShape", "__ellipsis__", "__numpy__", "__tensor__", "__tuple__"}
_OLD = {"PolicyV1", "SyncBatchNormalization", "BatchNormalizationV1", "BatchNormalizationV2"}  # before TensorFlow 2.12
_FURTHER = {"Functional", "Model", "Sequential"} | _OPERATIONS | _VALUES | _OLD
# What only the configurations of these layers have: an author's own class may have such a name.
_OF_CONVNEXT: Final = dict(zip(OF_CONVNEXT, ({"init_values", "projection_dim"}, {"drop_path_rate"}), strict=True))
_COMMON = {"name", "trainable", "dtype"}
# The functions of TensorFlow that Keras 2 makes layers of. These take and return tensors; others write files.
_OF_TENSORS = re.compile(
    r"(?:math|nn|image|linalg|__operators__)\.[a-z0-9_]+|(?:compat\.v1\.)?(?:math\.|nn\.)?(?:argmax|boolean_mask|"
    r"broadcast_to|cast|clip_by_value|concat|convert_to_tensor|einsum|expand_dims|gather|identity|moments|norm|one_hot|"
    r"ones_like|pad|range|reduce_max|reduce_mean|reduce_min|reduce_sum|repeat|reshape|reverse|roll|shape|slice|split|"
    r"squeeze|stack|stop_gradient|strided_slice|tile|transpose|unstack|where|zeros_like)"
)


def load_keras_2(path: Path, file: KerasFile) -> Any:
    """Loads a file of Keras 2.

    Args:
        path: of the file.
        file: what it states, checked by :mod:`training.importing.keras_archive`.

    Returns:
        A ``tf_keras.Model``.

    Raises:
        ImportRefusedError: it is damaged, contains what is not known to be a calculation, or reads other files.
    """
    if (found := next(_unknown(file.config), None)) is not None:
        raise ImportRefusedError(
            f"{path}: {found}; export the model to ONNX or a SavedModel (model.export) where it was made"
        )
    with _own_folder() as folder:
        if file.is_archive:
            _check_weights(path, folder)
        objects = {name: getattr(convnext, name) for name in _OF_CONVNEXT}
        try:
            named = file.named(path, folder)
            return tf_keras.models.load_model(named, compile=False, safe_mode=True, custom_objects=objects)
        except Exception as error:  # Keras raises whatever a layer does
            raise cannot_load(path, LIBRARY, error) from error


def _unknown(config: Any) -> Iterator[str]:
    """What a configuration has that is not known to be a calculation."""
    known = _FURTHER.union(*(_public(getattr(tf_keras, module), inspect.isclass) for module in _MODULES)) - _REFUSED
    functions = _public(tf_keras.activations, inspect.isfunction) - {"deserialize", "get", "serialize"}
    for item in dictionaries(config):
        kind, inner, registered = item.get("class_name"), item.get("config"), item.get("registered_name")
        if kind is None:
            continue
        if kind == "function":
            if not (isinstance(inner, str) and inner in functions and item.get("module") in (None, "builtins")):
                yield f"the function {str(inner)[:120]!r} is custom code, which is not in the file"
        elif not (isinstance(kind, str) and (kind in known or _is_of_convnext(kind, inner))):
            yield f"{LIBRARY} does not have {str(kind)[:120]!r}, or it could run code or read files"
        elif registered not in (None, kind):
            yield f"{str(registered)[:120]!r} is custom code, which is not in the file"
        elif kind in _OPERATIONS:
            function = inner.get("function") if isinstance(inner, dict) else None
            if not (isinstance(function, str) and _OF_TENSORS.fullmatch(function)):
                yield f"a layer calls tf.{str(function)[:120]}, which is not known to be a mere calculation"


def _is_of_convnext(kind: str, config: Any) -> bool:
    return kind in _OF_CONVNEXT and isinstance(config, dict) and set(config) == _COMMON | _OF_CONVNEXT[kind]


def _public(module: Any, is_wanted: Any) -> set[str]:
    return {name for name, value in vars(module).items() if is_wanted(value)}


def _check_weights(path: Path, folder: Path) -> None:
    """Refuses weights that are in other files."""
    try:
        with zipfile.ZipFile(path) as archive, h5py.File(archive.extract(_WEIGHTS, folder)) as weights:
            check_whole(weights, path)
    except (KeyError, OSError, RuntimeError, ValueError) as error:
        raise ImportRefusedError(f"{path}: its {_WEIGHTS} is damaged") from error


@contextmanager
def _own_folder() -> Iterator[Path]:
    """A folder for temporary files, also for those that TF-Keras leaves behind after an error."""
    before = tempfile.tempdir
    with tempfile.TemporaryDirectory(prefix="convoy-") as folder:
        tempfile.tempdir = folder
        try:
            yield Path(folder)
        finally:
            tempfile.tempdir = before
