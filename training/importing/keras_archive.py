"""Checks Keras files before Keras loads them: a file that would run code, or read another file, is refused.

``keras.models.load_model`` refuses Lambda layers by itself (``safe_mode``); here the message is clearer, and the older
``.h5`` files are checked too.
"""

import json
import lzma
import shutil
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import h5py

from training.errors import ImportRefusedError
from training.files import reason

_ABOUT = "metadata.json"
_CONFIG = "config.json"
_COMPILED = "compile_config"
_HDF5 = b"\x89HDF\r\n\x1a\n"
_ZIP = b"PK"
_MOST_BYTES = 4 << 30
_MOST_CONFIG_BYTES = 64 << 20
# RuntimeError includes RecursionError, by groups that contain themselves.
_OF_DAMAGE = (OSError, EOFError, KeyError, ValueError, NotImplementedError, RuntimeError)
_LAMBDAS = ("Lambda", "__lambda__")
_MODULES = ("keras.", "tf_keras.", "builtins")
_INITIALIZERS = "tensorflow.python.ops.init_ops_v2"  # of TensorFlow itself, which EfficientNetV2 of Keras 2 uses


class KerasFile(NamedTuple):
    """What a checked file states.

    Attributes:
        config: the configuration of the network, as JSON, without the losses, metrics and optimizers of an archive.
        version: of the Keras that saved it, such as ``2.15.0``; empty where it is not stated.
        is_archive: whether it is a zip archive, as ``.keras`` files are, and no HDF5 file.
        is_compiled_inside: whether a network in the network has a loss, which Keras would load.
    """

    config: Any
    version: str
    is_archive: bool
    is_compiled_inside: bool = False

    @property
    def is_of_keras_2(self) -> bool:
        """Whether Keras 2, or Keras 1, saved it."""
        return self.version.startswith(("1.", "2."))

    def named(self, path: Path, folder: Path) -> Path:
        """The file to load: a link with the ending of its format, in lower case, by which Keras chooses the reader.

        Where Keras would load more than ``config``, it is a copy with this configuration.

        Args:
            path: of the file.
            folder: for the link or the copy.
        """
        named = folder / f"network{'.keras' if self.is_archive else '.h5'}"
        if not self.is_compiled_inside:
            named.symlink_to(path.resolve())
            return named
        with zipfile.ZipFile(path) as whole, zipfile.ZipFile(named, "w") as kept:
            kept.writestr(_CONFIG, json.dumps(self.config))
            for name in set(whole.namelist()) - {_CONFIG}:
                with whole.open(name) as entry, kept.open(name, "w", force_zip64=True) as copied:
                    shutil.copyfileobj(entry, copied)
        return named


def check(path: Path) -> KerasFile:
    """Checks a file of either format; raises as the two functions below do.

    The file's first bytes tell its format, since TensorFlow up to 2.11 saves HDF5 files as ``model.keras`` too. Only
    where they tell nothing, the ending does.
    """
    start = _start(path)
    is_archive = start.startswith(_ZIP) or (path.suffix.lower() == ".keras" and start != _HDF5)
    return check_keras(path) if is_archive else check_h5(path)


def check_keras(path: Path) -> KerasFile:
    """Checks a ``.keras`` file: a zip archive with ``config.json`` and weights.

    Raises:
        ImportRefusedError: it cannot be read, is damaged or too large, contains code, or has entries that lead out
            of the archive.
    """
    _start(path)
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if sum(entry.file_size for entry in entries) > _MOST_BYTES:
                raise ImportRefusedError(f"{path}: it unpacks to more than {_MOST_BYTES} bytes")
            for entry in entries:
                place = PurePosixPath(entry.filename)
                if place.is_absolute() or ".." in place.parts or entry.external_attr >> 28 == 0xA:
                    raise ImportRefusedError(f"{path}: its entry {entry.filename[:120]!r} leads out of the archive")
            content = _read(archive, _CONFIG, path)
            about = json.loads(_read(archive, _ABOUT, path)) if _ABOUT in archive.namelist() else None
            version = str(about.get("keras_version", "")) if isinstance(about, dict) else ""
            return _checked(content, path, version, is_archive=True)
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, *_OF_DAMAGE) as error:
        raise ImportRefusedError(f"{path} is not a .keras file, or a damaged one") from error


def check_h5(path: Path) -> KerasFile:
    """Checks an ``.h5`` file: the model's configuration and its weights.

    Raises:
        ImportRefusedError: it cannot be read, is damaged, holds only weights, contains code, or links to other files.
    """
    _start(path)
    try:
        with h5py.File(path) as file:
            check_whole(file, path)
            config, version = _text(file.attrs.get("model_config")), _text(file.attrs.get("keras_version"))
    except _OF_DAMAGE as error:
        raise ImportRefusedError(f"{path} is not an HDF5 file, or a damaged one") from error
    if config is None:
        raise ImportRefusedError(
            f"{path} holds weights without a network (save_weights): save the whole model, model.save('model.keras')"
        )
    return _checked(config, path, version or "", is_archive=False)


def several_axes(file: KerasFile) -> str:
    """The name of a layer with more than one axis, of which Keras 3 reads none from an HDF5 file; empty for none."""
    layers = (item.get("config") for item in dictionaries(file.config) if "class_name" in item)
    axes = ((layer, layer.get("axis")) for layer in layers if isinstance(layer, dict))
    return next((str(layer.get("name")) for layer, axis in axes if isinstance(axis, list) and len(axis) > 1), "")


def names_of(file: KerasFile, key: str) -> set[str]:
    """All texts that a key has anywhere in a configuration."""
    return {value for item in dictionaries(file.config) if isinstance(value := item.get(key), str)}


def check_whole(file: h5py.File, path: Path) -> None:
    """Checks that no part of an HDF5 file is in another file; ``path`` is named in the message.

    Raises:
        ImportRefusedError: one is.
    """
    for name, place in _linked(file):
        raise ImportRefusedError(f"{path}: {name[:120]!r} is in another file ({place[:120]!r}), which is not read")


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


def _start(path: Path) -> bytes:
    """The first bytes of a file; that it cannot be read is told here, as libraries raise OSError for damage too."""
    try:
        with path.open("rb") as file:
            return file.read(len(_HDF5))
    except OSError as error:
        raise ImportRefusedError(f"{path} cannot be read ({reason(error)})") from error


def _read(archive: zipfile.ZipFile, name: str, path: Path) -> bytes:
    entry = archive.getinfo(name)
    if entry.file_size > _MOST_CONFIG_BYTES:
        raise ImportRefusedError(f"{path}: its {name} has {entry.file_size} bytes")
    return archive.read(entry)


def _text(value: object) -> str | None:
    return value.decode(errors="replace") if isinstance(value, bytes) else None if value is None else str(value)


def _checked(content: bytes | str, path: Path, version: str, *, is_archive: bool) -> KerasFile:
    try:
        config = json.loads(content)
        # Only an archive's configuration has what networks were compiled with; a file is loaded with compile=False, by
        # which Keras itself leaves out that of the whole network.
        compiled = [item for item in dictionaries(config) if is_archive and item.pop(_COMPILED, None)]
        found = next(_code_in(config), None)
    except (ValueError, RecursionError) as error:
        raise ImportRefusedError(f"{path}: its configuration is not JSON") from error
    if found is not None:
        raise ImportRefusedError(f"{path}: {found}")
    is_compiled_inside = any(item is not config for item in compiled)
    return KerasFile(config, version, is_archive=is_archive, is_compiled_inside=is_compiled_inside)


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
        elif (
            isinstance(module, str) and kind and not (module in ("keras", _INITIALIZERS) or module.startswith(_MODULES))
        ):
            yield (
                f"{kind!r} of {module!r} is custom code, which is not in the file; export the model to "
                "ONNX or a SavedModel (model.export) where it was made"
            )
