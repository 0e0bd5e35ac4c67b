"""Checks Keras files before Keras loads them: a file that would run code, or read another file, is refused.

``keras.models.load_model`` refuses Lambda layers by itself (``safe_mode``); here the message is clearer, and the older
``.h5`` files are checked too.
"""

import json
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import h5py

from training.errors import ImportRefusedError
from training.files import reason

_ABOUT = "metadata.json"
_MOST_BYTES = 4 << 30
_MOST_CONFIG_BYTES = 64 << 20
# RuntimeError includes RecursionError, by groups that contain themselves.
_OF_DAMAGE = (OSError, EOFError, KeyError, ValueError, NotImplementedError, RuntimeError)
_LAMBDAS = ("Lambda", "__lambda__")
_MODULES = ("keras.", "tf_keras.", "builtins")


class KerasFile(NamedTuple):
    """What a checked file states.

    Attributes:
        config: the configuration of the network, as JSON.
        version: of the Keras that saved it, such as ``2.15.0``; empty where it is not stated.
    """

    config: Any
    version: str

    @property
    def is_of_keras_2(self) -> bool:
        """Whether Keras 2, or Keras 1, saved it."""
        return self.version.startswith(("1.", "2."))


def check(path: Path) -> KerasFile:
    """Checks a file, of the format that its ending names; raises as the two functions below do."""
    return check_keras(path) if path.suffix.lower() == ".keras" else check_h5(path)


def check_keras(path: Path) -> KerasFile:
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
            config = _checked_config(_read(archive, "config.json", path), path)
            about = json.loads(_read(archive, _ABOUT, path)) if _ABOUT in archive.namelist() else None
            return KerasFile(config, str(about.get("keras_version", "")) if isinstance(about, dict) else "")
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, *_OF_DAMAGE) as error:
        raise ImportRefusedError(f"{path} is not a .keras file, or a damaged one") from error


def check_h5(path: Path) -> KerasFile:
    """Checks an ``.h5`` file: the model's configuration and its weights.

    Raises:
        ImportRefusedError: it cannot be read, is damaged, holds only weights, contains code, or links to other files.
    """
    _check_readable(path)
    try:
        with h5py.File(path) as file:
            for name, place in linked(file):
                raise ImportRefusedError(
                    f"{path}: {name[:120]!r} is in another file ({place[:120]!r}), which is not read"
                )
            config, version = _text(file.attrs.get("model_config")), _text(file.attrs.get("keras_version"))
    except _OF_DAMAGE as error:
        raise ImportRefusedError(f"{path} is not an HDF5 file, or a damaged one") from error
    if config is None:
        raise ImportRefusedError(
            f"{path} holds weights without a network (save_weights): save the whole model, model.save('model.keras')"
        )
    return KerasFile(_checked_config(config, path), version or "")


def several_axes(file: KerasFile) -> str:
    """The name of a layer with more than one axis, of which Keras 3 reads none from an HDF5 file; empty for none."""
    layers = (item.get("config") for item in dictionaries(file.config) if "class_name" in item)
    axes = ((layer, layer.get("axis")) for layer in layers if isinstance(layer, dict))
    return next((str(layer.get("name")) for layer, axis in axes if isinstance(axis, list) and len(axis) > 1), "")


def names_of(file: KerasFile, key: str) -> set[str]:
    """All texts that a key has anywhere in a configuration."""
    return {value for item in dictionaries(file.config) if isinstance(value := item.get(key), str)}


def linked(group: h5py.Group) -> Iterator[tuple[str, str]]:
    """The parts of an HDF5 file that are in other files: their names, and these files."""
    for name in group:
        link = group.get(name, getlink=True)
        if isinstance(link, h5py.ExternalLink):
            yield f"{group.name}/{name}", link.filename
        elif isinstance(link, h5py.HardLink):
            item = group[name]
            if isinstance(item, h5py.Group):
                yield from linked(item)
            elif isinstance(item, h5py.Dataset) and (item.external or item.is_virtual):
                yield item.name, str((item.external or item.virtual_sources())[0][0])


def _check_readable(path: Path) -> None:
    # The libraries raise an OSError for damaged files too.
    try:
        path.open("rb").close()
    except OSError as error:
        raise ImportRefusedError(f"{path} cannot be read ({reason(error)})") from error


def _read(archive: zipfile.ZipFile, name: str, path: Path) -> bytes:
    entry = archive.getinfo(name)
    if entry.file_size > _MOST_CONFIG_BYTES:
        raise ImportRefusedError(f"{path}: its {name} has {entry.file_size} bytes")
    return archive.read(entry)


def _text(value: object) -> str | None:
    return value.decode(errors="replace") if isinstance(value, bytes) else None if value is None else str(value)


def _checked_config(content: bytes | str, path: Path) -> Any:
    try:
        config = json.loads(content)
        if isinstance(config, dict):
            config.pop("compile_config", None)  # the network is loaded without its loss and its optimizer
        found = next(_code_in(config), None)
    except (ValueError, RecursionError) as error:
        raise ImportRefusedError(f"{path}: its configuration is not JSON") from error
    if found is not None:
        raise ImportRefusedError(f"{path}: {found}")
    return config


def dictionaries(config: Any) -> Iterator[dict[str, Any]]:
    """Every dictionary in a configuration, the outer ones first."""
    if isinstance(config, dict):
        yield config
    if isinstance(config, dict | list):
        for item in config.values() if isinstance(config, dict) else config:
            yield from dictionaries(item)


def _code_in(config: Any) -> Iterator[str]:
    """Messages about parts of a configuration that are code, or need code that is not part of Keras."""
    for item in dictionaries(config):
        kind, module, inner = item.get("class_name"), item.get("module"), item.get("config")
        if kind in _LAMBDAS:
            name = inner.get("name", "") if isinstance(inner, dict) else ""
            yield (
                f"layer {name!r} is a Lambda layer, which is Python code that would run on loading; write it as layers "
                "(Rescaling, keras.ops) or export the model to ONNX or a SavedModel where it was made"
            )
        elif isinstance(registered := item.get("registered_name"), str) and ">" in registered:
            yield (
                f"{registered!r} is custom code, which is not in the file; export the model to ONNX or a "
                "SavedModel (model.export) where it was made"
            )
        elif isinstance(module, str) and kind and not (module == "keras" or module.startswith(_MODULES)):
            yield (
                f"{kind!r} of {module!r} is custom code, which is not in the file; export the model to "
                "ONNX or a SavedModel (model.export) where it was made"
            )
