"""Lists and reads the folders and files of a model repository, which may have any content.

::

    <name>/<version>/model.onnx    the models
    <name>/default_version         optional: the version that answers where none is named
    <name>/version_labels          optional: names of versions, a line each, as stable=2

    *.onnx                         directly in the folder, as KServe stores a file or the versions of one model;
    <version>/model.onnx           name and version are then those in the file's metadata
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

from service.errors import ModelLoadFailedError, ModelNotFoundError, ModelRefusedError
from service.file_name import shown_name
from service.inference.foreign_files import foreign_files, import_command
from service.inference.model_key import read_model_key
from service.regular_file import read_regular

MODEL_FILE: Final = "model.onnx"
DEFAULT_VERSION_FILE: Final = "default_version"
VERSION_LABELS_FILE: Final = "version_labels"
_SUFFIX: Final = ".onnx"

_MOST_DEFAULT_VERSION_BYTES: Final = 64
_MOST_VERSION_LABELS_BYTES: Final = 4096

ModelKey = tuple[str, str]
"""Name and version of a model."""
FileState = tuple[int, ...]
"""Shows whether a file was replaced or changed: inode, size in bytes, time of change in nanoseconds."""


class Survey(NamedTuple):
    """One listing of the repository.

    Attributes:
        files: each model file with its state, sorted by name and number of version.
        default_versions: the content of the file ``default_version``, of each model that has one.
        foreign: files of other programs beside the models.
        version_labels: the content of the file ``version_labels``, of each model that has one.
        repeated: files with the name and version of another file, which is used; each with that other file.
    """

    files: dict[ModelKey, FileState]
    default_versions: dict[str, str]
    foreign: tuple[Path, ...] = ()
    version_labels: Mapping[str, str] = MappingProxyType({})
    repeated: Mapping[Path, tuple[ModelKey, Path]] = MappingProxyType({})

    def unused(self, root: Path) -> dict[Path, str]:
        """For each file in a repository that is not served as a model: the file, and what to do with it."""
        told = {path: f"{path}; take it in with: {import_command(path, root)}" for path in self.foreign}
        for path, ((name, version), used) in self.repeated.items():
            told[path] = f"{path}; it is {name} version {version} like {used}, which is used: give it another version"
        return told

    def defaults(self) -> set[ModelKey]:
        """The version of each model that answers where none is named, if its file exists and can be loaded."""
        newest = dict(self.files.keys())  # they are sorted, so the newest version of each name is kept
        return {(name, self.default_versions.get(name, version)) for name, version in newest.items()}

    def next_defaults(self, served: Iterable[ModelKey]) -> set[ModelKey]:
        """The versions that would answer where none is named as soon as they are served beside these.

        They may be several: a file of a newer one may be refused.
        """
        newest: dict[str, int] = {}
        for name, version in served:
            newest[name] = max(int(version), newest.get(name, 0))
        free = [(name, version) for name, version in self.files if name not in self.default_versions]
        return {(name, version) for name, version in free if int(version) > newest.get(name, int(version))}


def survey(root: Path) -> Survey:
    """Lists the whole repository. Hidden folders, and folders that cannot be read, are left out.

    Names that are not UTF-8 are shown with escapes; a model with such a name cannot be loaded.

    Raises:
        OSError: the repository's own folder cannot be read.
    """
    files: dict[ModelKey, FileState] = {}
    default_versions: dict[str, str] = {}
    version_labels: dict[str, str] = {}
    alone = _alone(root)
    named = {path for paths in alone.values() for path in paths}
    repeated: dict[Path, tuple[ModelKey, Path]] = {}
    foreign = foreign_files(root)
    for model in sorted(_folders(root), key=lambda entry: entry.name):
        name = shown_name(model.name)
        versions = {shown_name(version.name): Path(version.path) for version in _readable_folders(model)}
        for version in sorted(filter(str.isdecimal, versions), key=lambda number: (int(number), number)):
            state = _state(versions[version] / MODEL_FILE)
            if state is not None:
                files[name, version] = state
            else:
                foreign += foreign_files(versions[version])
        foreign += foreign_files(Path(model.path))
        _read_said(Path(model.path), name, default_versions, version_labels)
    for key, (path, *others) in alone.items():
        used = root.joinpath(*key, MODEL_FILE) if key in files else path
        repeated |= {other: (key, used) for other in (path, *others) if not _is_same(other, used)}
        if (state := _state(path)) is not None:
            files.setdefault(key, state)
    for name in {name for name, _ in alone}:
        _read_said(root, name, default_versions, version_labels)
    in_order = dict(sorted(files.items(), key=lambda file: (file[0][0], _number(file[0][1]), file[0][1])))
    foreign = [path for path in foreign if path not in named]
    return Survey(in_order, default_versions, tuple(foreign), version_labels, repeated)


def _is_same(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except OSError:
        return path == other


def _number(version: str) -> int:
    return int(version) if version.isdecimal() else 0


def _alone(root: Path) -> dict[ModelKey, list[Path]]:
    """The files of each model without folders for name and version.

    If several have the same name and version in their metadata, the first is used.

    Raises:
        OSError: the folder cannot be read.
    """
    with os.scandir(root) as entries:
        paths = sorted(Path(entry.path) for entry in entries if not entry.name.startswith("."))
    found: dict[ModelKey, list[Path]] = {}
    for path in paths:
        file = path if path.suffix == _SUFFIX else path / MODEL_FILE if path.name.isdecimal() else None
        key = None if file is None else read_model_key(file)
        if file is not None and key is not None:
            found.setdefault(key, []).append(file)
    return found


def model_path(root: Path, name: str, version: str) -> Path:
    """The path of a model's file: in folders for name and version, or directly in the repository's folder."""
    path = root / name / version / MODEL_FILE
    return path if path.exists() else _find_alone(root, name, version) or path


def _find_alone(root: Path, name: str, version: str) -> Path | None:
    try:
        return _alone(root).get((name, version), [None])[0]
    except OSError:
        return None


def read_model(path: Path, origin: str, most_bytes: int) -> bytes:
    """Reads a model's file.

    Args:
        path: of the file.
        origin: names it in messages.
        most_bytes: longest file allowed.

    Raises:
        ModelNotFoundError: there is no such file.
        ModelLoadFailedError: it cannot be read.
        ModelRefusedError: it is not a regular file, or too long.
    """
    try:
        return read_regular(path, most_bytes)
    except FileNotFoundError:
        raise ModelNotFoundError(f"{origin} cannot be read: there is no such file") from None
    except OSError as error:
        raise ModelLoadFailedError(f"{origin} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ModelRefusedError(f"{origin}: {error}") from None
    except OverflowError as error:
        raise ModelRefusedError(f"{origin}: {error} (model_memory_limit_bytes)") from None
    except MemoryError as error:
        raise ModelLoadFailedError(f"{origin}: there is not enough memory to read it") from error


def _read_said(folder: Path, name: str, default_versions: dict[str, str], version_labels: dict[str, str]) -> None:
    """Adds the content of the files beside a model's versions; those in the model's own folder have priority."""
    for file, most_bytes, told in (
        (DEFAULT_VERSION_FILE, _MOST_DEFAULT_VERSION_BYTES, default_versions),
        (VERSION_LABELS_FILE, _MOST_VERSION_LABELS_BYTES, version_labels),
    ):
        if (said := _said(folder / file, most_bytes)) is not None:
            told.setdefault(name, said)


def _said(path: Path, most_bytes: int) -> str | None:
    """The content of a small file beside a model's versions; None where there is none."""
    try:
        content = read_regular(path, most_bytes)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, OverflowError) as error:
        return f"unreadable: {error}"
    return content.decode("utf-8", "backslashreplace").strip()


def _folders(path: Path) -> list[os.DirEntry[str]]:
    """The folders in a folder, including links to folders, without hidden ones."""
    with os.scandir(path) as entries:
        return [entry for entry in entries if not entry.name.startswith(".") and _is_folder(entry)]


def _readable_folders(entry: os.DirEntry[str]) -> list[os.DirEntry[str]]:
    try:
        return _folders(Path(entry.path))
    except OSError:
        return []


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _state(path: Path) -> FileState | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns  # ctime changes with every link and mode too
