"""Files in a model repository that another program made, and the command that takes them in.

A person who has trained a model puts its file where the others are. It cannot be served as it is: nothing in it says
what its labels are and how a picture becomes its input. So it is named, together with what to do.
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
    """The command that makes a served model of a file or folder; words in capitals are the user's to fill in.

    Args:
        path: of what another program made.
        root: the repository that the model goes to.
        name: of the model; None leaves it to the user.
        version: whose file is replaced; None makes a new one.
    """
    place = f"--name {name or 'NAME'}" + (f" --version {version}" if version else "")
    options = f"--out {shlex.quote(str(root))} --labels LABELS.txt --preprocessing RULE"
    return f"convoy import {shlex.quote(str(path))} {place} {options}"


def foreign_files(folder: Path) -> list[Path]:
    """Files and SavedModel folders that lie in a folder of the repository and are no part of it.

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
            if entry.name.lower().endswith(_SUFFIXES) and entry.is_file():
                yield Path(entry.path)
            elif entry.name == _SAVED_MODEL:
                yield folder
