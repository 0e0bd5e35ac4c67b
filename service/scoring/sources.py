"""Where the pictures to score come from, one after the other, in an order that is the same each time.

::

    a folder, with all below it      every file whose name ends as a picture's does
    a pattern                        the files that match: 'photos/**/*.jpg'
    a .txt or other list             a path a line; - reads the list from standard input
    a .csv                           the paths in one of its columns
    a .zip, .tar, .tar.gz            the pictures in it
"""

import bz2
import csv
import glob
import gzip
import lzma
import os
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from service.errors import ScoringError
from service.scoring.pictures import MOST_FILE_BYTES, FilePicture, Picture, SentPicture, SlicePicture, ZipPicture

PICTURE_SUFFIXES: Final = (
    *(".avif", ".bmp", ".dib", ".gif", ".heic", ".heif", ".jfif"),
    *(".jpe", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"),
)
STANDARD_INPUT: Final = "-"

_PACKED_TAR: Final = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_OPENERS: Final[dict[str, Callable[[str], Any]]] = {
    "gz": gzip.open,
    "tgz": gzip.open,
    "bz2": bz2.open,
    "xz": lzma.open,
}
_CUT_OFF: Final = "the zeros that end a tar are missing; it was cut off, or is still being written"
_USUAL_COLUMNS: Final = ("path", "file", "filename")


def find_pictures(source: str, column: str | None = None) -> Iterator[Picture]:
    """Finds the pictures of an input.

    Args:
        source: as the user gave it.
        column: of a .csv file; None takes the only one, or the one named ``path``, ``file`` or ``filename``.

    Yields:
        Pictures, lazily: an input of millions is never held as a whole, except for the names in one folder.

    Raises:
        ScoringError: there is no such input, or it cannot be read.
    """
    try:
        yield from _open(source, column)
    except OSError as error:
        said = error.strerror or f"it is damaged, or not what its name says: {error}"
        raise ScoringError(f"{error.filename or source}: {said}") from error
    except (zipfile.BadZipFile, tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, UnicodeError) as error:
        raise ScoringError(f"{source}: it is damaged, or not what its name says: {error}") from error


def count_pictures(source: str, column: str | None = None) -> int | None:
    """How many pictures an input has; None where that takes reading all of it."""
    if source == STANDARD_INPUT or source.lower().endswith(_PACKED_TAR):
        return None
    return sum(1 for _ in find_pictures(source, column))


def _open(source: str, column: str | None) -> Iterator[Picture]:
    if source == STANDARD_INPUT:
        return _listed(sys.stdin.buffer)
    path = Path(source)
    if path.is_dir():
        return _in_folder(source, "")
    if path.exists():
        return _in_file(path, column)
    if glob.has_magic(source):
        return _matching(source)
    raise ScoringError(f"{source}: there is no such file or folder")


def _in_file(path: Path, column: str | None) -> Iterator[Picture]:
    source, lower = str(path), path.name.lower()
    if lower.endswith(_PACKED_TAR):
        return _in_packed_tar(source)
    if lower.endswith(PICTURE_SUFFIXES):
        return iter((FilePicture(source, source),))
    match path.suffix.lower():
        case ".zip":
            return _in_zip(source)
        case ".tar":
            return _in_tar(source)
        case ".csv":
            return _in_csv(path, column)
        case _:
            return _in_list(path)


def _is_picture(name: str) -> bool:
    """By its name, in which no step is hidden; macOS puts hidden copies of everything into its archives."""
    return name.lower().endswith(PICTURE_SUFFIXES) and not any(
        step.startswith(".") for step in name.split("/") if step != "."
    )


def _in_folder(folder: str, prefix: str) -> Iterator[Picture]:
    """Files before folders, each by name; hidden ones are left out, and links to folders are not followed."""
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        if _is_picture(entry.name) and entry.is_file():
            yield FilePicture(prefix + entry.name, entry.path)
    for entry in entries:
        if not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False):
            yield from _in_folder(entry.path, f"{prefix}{entry.name}/")


def _matching(pattern: str) -> Iterator[Picture]:
    for path in sorted(glob.iglob(pattern, recursive=True)):  # noqa: PTH207  the pattern may be absolute
        if Path(path).is_file():
            yield FilePicture(path, path)


def _in_list(path: Path) -> Iterator[Picture]:
    with path.open("rb") as lines:
        yield from _listed(lines)


def _listed(lines: Iterable[bytes]) -> Iterator[Picture]:
    for line in lines:
        if path := os.fsdecode(line.rstrip(b"\r\n")):
            yield FilePicture(path, path)


def _in_csv(source: Path, column: str | None) -> Iterator[Picture]:
    """Paths are relative to the folder of the table where such a file is there, and to the working folder otherwise."""
    with source.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
        rows = csv.DictReader(file)
        names = list(rows.fieldnames or ())
        if column is None:
            usual = [name for name in names if name in _USUAL_COLUMNS]
            column = names[0] if len(names) == 1 else usual[0] if len(usual) == 1 else None
        if column not in names:
            raise ScoringError(f"{source}: --column must say which column holds the paths: {', '.join(names)}")
        for row in rows:
            if path := row[column]:
                beside = source.parent / path
                yield FilePicture(path, str(beside) if beside.exists() else path)


def _in_zip(source: str) -> Iterator[Picture]:
    with zipfile.ZipFile(source) as archive:
        for number, name in enumerate(archive.namelist()):
            if _is_picture(name):
                yield ZipPicture(name, source, number)


def _in_tar(source: str) -> Iterator[Picture]:
    with tarfile.open(source, "r:") as archive:
        while (member := archive.next()) is not None:
            if member.isreg() and _is_picture(member.name):
                yield SlicePicture(member.name, source, member.offset_data, member.size)
            archive.members = []  # type: ignore[attr-defined]  # it would remember every member
        if archive.offset >= Path(source).stat().st_size:
            raise EOFError(_CUT_OFF)


def _in_packed_tar(source: str) -> Iterator[Picture]:
    # By tarfile's own way, a compressed file that is cut off is taken for a whole one.
    opened = _OPENERS[source.lower().rpartition(".")[2]](source)
    with opened as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            if member.isreg() and _is_picture(member.name):
                file = archive.extractfile(member)
                yield SentPicture(member.name, b"" if file is None else file.read(MOST_FILE_BYTES + 1))
            archive.members = []  # type: ignore[attr-defined]  # likewise
