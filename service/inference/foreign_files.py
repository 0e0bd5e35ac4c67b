"""Finds files of other programs in a model repository, and gives the command that imports them.

A person who has trained a model may put its file into the repository. It cannot be served as it is, because it has no
labels and no description of its preprocessing. So the service names the file, together with the command.
"""

import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_SUFFIXES: Final = (".onnx", ".keras", ".h5", ".hdf5")
_SAVED_MODEL: Final = "saved_model.pb"
_MOST_NAMED: Final = 8


def import_command(path: Path, root: Path, name: str | None = None, version: str | None = None) -> str:
    """The command that imports a file or folder as a model; the user replaces the words in capitals.

    Args:
        path: of the file or folder of another program.
        root: the repository to which the model is added.
        name: of the model; None: the user chooses it.
        version: the version to replace; None: a new version.
    """
    place = f"--name {name or 'NAME'}" + (f" --version {version}" if version else "")
    options = f"--out {shlex.quote(str(root))} --labels LABELS.txt --preprocessing RULE"
    return f"convoy import {shlex.quote(str(path))} {place} {options}"


def foreign_files(folder: Path) -> list[Path]:
    """Files and SavedModel folders of other programs in a folder of the repository.

    Args:
        folder: the repository, the folder of a model, or that of a version without a model file.

    Returns:
        The first few, sorted; none where the folder cannot be read.
    """
    try:
        return sorted(_look(folder))[:_MOST_NAMED]
    except OSError:
        return []


def _look(folder: Path) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.name.lower().endswith(_SUFFIXES) and _is_file(entry):
                yield Path(entry.path)
            elif entry.name == _SAVED_MODEL:
                yield folder


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:  # a loop of links
        return False
