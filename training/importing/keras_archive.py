"""Checks Keras files before Keras loads them: a file that would run code, or read another file, is refused.

``keras.models.load_model`` refuses Lambda layers by itself (``safe_mode``); here the message is clearer, and the older
``.h5`` files are checked too.
"""

import json
import lzma
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import h5py

from training.errors import ImportRefusedError
from training.files import reason

_MOST_BYTES = 4 << 30
_MOST_CONFIG_BYTES = 64 << 20
# RuntimeError includes RecursionError, by groups that contain themselves.
_OF_DAMAGE = (OSError, EOFError, KeyError, ValueError, NotImplementedError, RuntimeError)
_LAMBDAS = ("Lambda", "__lambda__", "ClassMethod", "InstanceMethod", "InstanceProperty")
_MODULES = ("keras.", "tf_keras.", "builtins")
_OPERATION_LAYERS = ("TFOpLambda", "SlicingOpLambda")
# The functions of TensorFlow that Keras 2 makes layers of. These take and return tensors; others read and write files.
_OF_TENSORS = re.compile(
    r"(?:math|nn|image|__operators__)\.[a-z0-9_]+|cast|clip_by_value|concat|convert_to_tensor|expand_dims|identity|one_hot|"
    r"ones_like|pad|repeat|reshape|reverse|shape|split|squeeze|stack|tile|transpose|unstack|zeros_like"
)


def check_keras(path: Path) -> None:
    """Checks a ``.keras`` file: a zip archive with ``config.json`` and weights.

    Raises:
        ImportRefusedError: it cannot be read, is damaged or too large, contains code, or has entries that lead out
            of the archive.
    """
    _check_readable(path)
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if sum(entry.file_size for entry in entries) > _MOST_BYTES:
                raise ImportRefusedError(f"{path}: it unpacks to more than {_MOST_BYTES} bytes")
            for entry in entries:
                place = PurePosixPath(entry.filename)
                if place.is_absolute() or ".." in place.parts or entry.external_attr >> 28 == 0xA:
                    raise ImportRefusedError(f"{path}: its entry {entry.filename[:120]!r} leads out of the archive")
            config = archive.getinfo("config.json")
            if config.file_size > _MOST_CONFIG_BYTES:
                raise ImportRefusedError(f"{path}: its config.json has {config.file_size} bytes")
            _check_config(archive.read(config), path)
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, *_OF_DAMAGE) as error:
        raise ImportRefusedError(f"{path} is not a .keras file, or a damaged one") from error


def saved_by(path: Path) -> str:
    """The version of Keras that saved a file which was checked, such as ``2.15.0``; empty where it is not stated."""
    if h5py.is_hdf5(path):
        with h5py.File(path) as file:
            version = file.attrs.get("keras_version", "")
            return version.decode(errors="replace") if isinstance(version, bytes) else str(version)
    with zipfile.ZipFile(path) as archive:
        if "metadata.json" not in archive.namelist():
            return ""
        stated = json.loads(archive.read("metadata.json"))
        return str(stated.get("keras_version", "")) if isinstance(stated, dict) else ""


def check_h5(path: Path) -> None:
    """Checks an ``.h5`` file: the model's configuration and its weights.

    Raises:
        ImportRefusedError: it cannot be read, is damaged, holds only weights, contains code, or links to other files.
    """
    _check_readable(path)
    try:
        with h5py.File(path) as file:
            for name, place in _linked(file):
                raise ImportRefusedError(
                    f"{path}: {name[:120]!r} is in another file ({place[:120]!r}), which is not read"
                )
            config = file.attrs.get("model_config")
    except _OF_DAMAGE as error:
        raise ImportRefusedError(f"{path} is not an HDF5 file, or a damaged one") from error
    if config is None:
        raise ImportRefusedError(
            f"{path} holds weights without a network (save_weights): save the whole model, model.save('model.keras')"
        )
    _check_config(config if isinstance(config, bytes) else str(config).encode(errors="replace"), path)


def _check_readable(path: Path) -> None:
    # The libraries raise an OSError for damaged files too.
    try:
        path.open("rb").close()
    except OSError as error:
        raise ImportRefusedError(f"{path} cannot be read ({reason(error)})") from error


def _linked(group: h5py.Group) -> Iterator[tuple[str, str]]:
    for name in group:
        link = group.get(name, getlink=True)
        if isinstance(link, h5py.ExternalLink):
            yield f"{group.name}/{name}", link.filename
        elif isinstance(link, h5py.HardLink):
            item = group[name]
            if isinstance(item, h5py.Group):
                yield from _linked(item)
            elif isinstance(item, h5py.Dataset) and (item.external or item.is_virtual):
                yield item.name, str((item.external or item.virtual_sources())[0][0])


def _check_config(content: bytes, path: Path) -> None:
    try:
        config = json.loads(content)
        found = next(_code_in(config), None)
    except (ValueError, RecursionError) as error:
        raise ImportRefusedError(f"{path}: its configuration is not JSON") from error
    if found is not None:
        raise ImportRefusedError(f"{path}: {found}")


def _code_in(config: Any) -> Iterator[str]:
    """Messages about parts of a configuration that are code, or need code that is not part of Keras."""
    if isinstance(config, list):
        for item in config:
            yield from _code_in(item)
    elif isinstance(config, dict):
        kind, module = config.get("class_name"), config.get("module")
        if kind in _LAMBDAS:
            name = config.get("config", {}).get("name", "") if isinstance(config.get("config"), dict) else ""
            yield (
                f"layer {name!r} is a Lambda layer, which is Python code that would run on loading; write it as layers "
                "(Rescaling, keras.ops) or export the model to ONNX or a SavedModel where it was made"
            )
        elif kind in _OPERATION_LAYERS:
            inner = config.get("config")
            function = inner.get("function") if isinstance(inner, dict) else None
            if not (isinstance(function, str) and _OF_TENSORS.fullmatch(function)):
                yield (
                    f"a layer calls tf.{str(function)[:120]}, which is not known to be a mere calculation; export the "
                    "model to ONNX or a SavedModel (model.export) where it was made"
                )
        elif isinstance(registered := config.get("registered_name"), str) and ">" in registered:
            yield (
                f"{registered!r} is custom code, which is not in the file; export the model to ONNX or a "
                "SavedModel (model.export) where it was made"
            )
        elif isinstance(module, str) and kind and not (module == "keras" or module.startswith(_MODULES)):
            yield (
                f"{kind!r} of {module!r} is custom code, which is not in the file; export the model to "
                "ONNX or a SavedModel (model.export) where it was made"
            )
        for value in config.values():
            yield from _code_in(value)
