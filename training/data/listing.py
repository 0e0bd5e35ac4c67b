"""Lists the pictures of a folder with their class and part, and files in the wrong place. Reads no picture.

::

    flowers/                     flowers/
      daisy/  0001.jpg ...   or    train/  daisy/ ...  rose/ ...
      rose/   ...                  val/    daisy/ ...  rose/ ...      (may be missing; also valid, validation, dev)
                                   test/   daisy/ ...  rose/ ...      (may be missing; also testing)
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from training.errors import DataError

Part = Literal["", "train", "val", "test"]
PARTS: dict[str, Part] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}

_OF_SYSTEMS = {"thumbs.db", "desktop.ini", "__macosx", "ehthumbs.db", ".ds_store", ".directory", ".localized"}
_OF_MACOS = "._"  # the beginning of the names of files that macOS adds for each file on other file systems


@dataclass(frozen=True, slots=True)
class Entry:
    """One listed picture.

    Attributes:
        path: of the file.
        label: its class, in Unicode's form NFC.
        part: ``train``, ``val`` or ``test``; empty where the folder or table has no parts.
        content: the picture itself, where a table holds it; ``path`` is then its row. None where it is a file.
        row: the row of the table, as ``TABLE:NUMBER``; None where no table names the picture.
    """

    path: Path
    label: str
    part: Part = ""
    content: bytes | None = None
    row: Path | None = None


@dataclass(frozen=True, slots=True)
class Trouble:
    """One file or folder that cannot be used.

    Attributes:
        kind: of the problem, as a heading of the report.
        path: of the file or folder.
        what: what is wrong and what would be right.
        files: how many files it is about.
    """

    kind: str
    path: Path
    what: str
    files: int = 1


@dataclass(frozen=True, slots=True)
class Listing:
    """The pictures of a folder or table.

    Attributes:
        place: the folder or table.
        entries: the pictures, in order of part, label and name.
        troubles: files and folders in the wrong place, and wrong rows of a table.
        hidden: files and folders that are left out since their names begin with a dot, without those of systems.
    """

    place: Path
    entries: tuple[Entry, ...]
    troubles: tuple[Trouble, ...] = ()
    hidden: tuple[Path, ...] = ()


def list_folder(directory: Path) -> Listing:
    """Lists a folder of classes, or of ``train``, ``val`` and ``test`` with those.

    Raises:
        DataError: it is no folder, or cannot be read.
    """
    parts = _parts(directory)
    entries: list[Entry] = []
    troubles: list[Trouble] = []
    read = [directory]
    for part, place in parts:
        read += [place] * (part != "")
        for path, is_folder in _content(place, troubles):
            if is_folder:
                read.append(path)
                _list_class(path, part, entries, troubles)
            else:
                troubles.append(
                    Trouble("beside the class folders", path, "every picture belongs in the folder of its class")
                )
    if any(part for part, _ in parts):
        troubles += [
            Trouble("beside the class folders", path, "only train, val and test belong here: move it elsewhere")
            for path in visible(directory)
            if not (path.is_dir() and path.name.lower() in PARTS)
        ]
    hidden = tuple(path for folder in read for path in _hidden(folder))
    return Listing(directory, tuple(entries), tuple(troubles), hidden)


def _parts(directory: Path) -> Sequence[tuple[Part, Path]]:
    folders = [path for path, is_folder in _kinds(directory) if is_folder]
    named = [(PARTS[path.name.lower()], path) for path in folders if path.name.lower() in PARTS]
    # Folders called train and test that hold pictures, and no folders, are classes.
    of_classes = {part for part, path in named if _may_hold_folders(path)}
    # Beside folders of other names, train alone may be a class too.
    if "train" in of_classes and (len(named) == len(folders) or len(of_classes) > 1):
        return named
    return [("", directory)]


def _may_hold_folders(directory: Path) -> bool:
    try:
        return any(is_folder for _, is_folder in _kinds(directory))
    except DataError:
        return True


def _list_class(folder: Path, part: Part, entries: list[Entry], troubles: list[Trouble]) -> None:
    reported = len(troubles)
    found = _content(folder, troubles)
    if len(troubles) > reported:
        return
    files = [path for path, is_folder in found if not is_folder]
    inner = [path for path, is_folder in found if is_folder]
    if inner and not files:
        what = f"if its folders are the classes, give {folder} as the folder; else move their pictures up into it"
        troubles.append(Trouble("class of folders only", folder, what))
        return
    what = f"pictures of a class stand in {folder.name}/ itself: move them up"
    troubles += [Trouble("folder inside a class", path, what) for path in inner]
    if not files:
        troubles.append(Trouble("empty class", folder, "it holds no picture"))
    entries += [Entry(path, canonical(folder.name), part) for path in files]


def _content(folder: Path, troubles: list[Trouble]) -> list[tuple[Path, bool]]:
    """As :func:`_kinds`; a folder that cannot be read becomes a trouble, so that the report names the others too."""
    try:
        return _kinds(folder)
    except DataError as error:
        troubles.append(Trouble("cannot be read", folder, str(error).removeprefix(f"{folder} ")))
        return []


def _kinds(directory: Path) -> list[tuple[Path, bool]]:
    """The content of a folder as :func:`visible` lists it, and whether each is a folder.

    Raises:
        DataError: it is no folder, or cannot be read.
    """
    try:
        return [(path, path.is_dir()) for path in visible(directory)]
    except OSError as error:  # it may be listed, but not entered
        raise DataError(f"{directory} cannot be read ({error.strerror})") from None


def canonical(label: str) -> str:
    """A label in Unicode's form NFC: macOS may return names with accents as letters of their own."""
    return unicodedata.normalize("NFC", label)


def visible(directory: Path) -> list[Path]:
    """The content of a folder, sorted by name, without hidden files and files that operating systems add.

    Raises:
        DataError: it is no folder, or cannot be read.
    """
    return [path for path in _own_content(directory) if not path.name.startswith(".")]


def _hidden(directory: Path) -> list[Path]:
    """What :func:`visible` leaves out, without files that operating systems add; nothing of an unreadable folder."""
    try:
        return [path for path in _own_content(directory) if path.name.startswith(".")]
    except DataError:
        return []  # it is among the troubles already


def _own_content(directory: Path) -> list[Path]:
    """The content of a folder, sorted by name, without files that operating systems add.

    Raises:
        DataError: it is no folder, or cannot be read.
    """
    try:
        found = sorted(directory.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        raise DataError(f"{directory} is not a folder: give one with a sub-folder for each class") from None
    except OSError as error:
        raise DataError(f"{directory} cannot be read ({error.strerror})") from None
    return [path for path in found if path.name.lower() not in _OF_SYSTEMS and not path.name.startswith(_OF_MACOS)]
