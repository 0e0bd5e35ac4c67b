"""Finds the pictures of an input, one after the other, always in the same order.

::

    a folder, with its subfolders    every file whose name ends as a picture's does
    a pattern                        the files that match: 'photos/**/*.jpg'
    a .txt or other list             one path per line; - reads the list from standard input
    a .csv                           the paths in one of its columns
    a .zip, .tar, .tar.gz            the pictures in it
"""

import codecs
import csv
import glob
import lzma
import os
import re
import shlex
import struct
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, AnyStr, Final

from service.errors import ScoringError
from service.scoring.archives import PACKED_TAR, in_packed_tar, in_tar, in_zip
from service.scoring.pictures import PICTURE_SUFFIXES, FilePicture, Picture, UnreadablePicture, is_picture

STANDARD_INPUT: Final = "-"
_STANDARD_INPUT_FILE: Final = 0

_ANY_FOLDERS: Final = re.compile(r"(?:^|(?<=/))\*\*(?:/+|$)")
_MOST_LINE: Final = 1 << 16
_OF_LENGTHS: Final = (ValueError, OverflowError, struct.error, NotImplementedError)  # by wrong lengths in archives
_AS_TABLE: Final = "a table of paths has to be a .csv file, and a list of them a .txt file with one path a line"
_UNPACKED: Final = "unpack it and give the folder, or pack the pictures as .zip or .tar"
_NO_LISTS: Final = {
    **dict.fromkeys((".json", ".jsonl", ".parquet", ".tsv", ".xlsx"), _AS_TABLE),
    **dict.fromkeys((".7z", ".rar", ".zst"), _UNPACKED),
}
_USUAL_COLUMNS: Final = ("path", "file", "filename")


def find_pictures(source: str, column: str | None = None) -> Iterator[Picture]:
    """Finds the pictures of an input.

    Args:
        source: as the user gave it.
        column: of a .csv file; None: the only column, or the one named ``path``, ``file`` or ``filename``.

    Yields:
        Pictures, lazily: only the names in one folder are held at once, so an input can have millions of pictures.

    Raises:
        ScoringError: there is no such input, or it cannot be read.
    """
    try:
        yield from _open(source, column)
    except OSError as error:
        said = error.strerror or f"it is damaged, or not what its name says: {error}"
        raise ScoringError(f"{error.filename or source}: {said}") from error
    except csv.Error as error:
        raise ScoringError(f"{source}: it is no table of comma-separated values: {error}") from error
    except (zipfile.BadZipFile, tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, *_OF_LENGTHS) as error:
        raise ScoringError(f"{source}: it is damaged, or not what its name says: {error}") from error


def can_be_counted(source: str) -> bool:
    """Whether an input can be read twice at little cost, first to count its pictures."""
    is_pipe = source == STANDARD_INPUT or Path(source).is_fifo()
    return not is_pipe and not source.lower().endswith(PACKED_TAR)


def is_input(path: Path, source: str) -> bool:
    """Whether a file that exists is the input itself, also where the shell has opened it as standard input."""
    if source != STANDARD_INPUT:
        return Path(source).is_file() and path.samefile(source)
    try:
        return os.path.samestat(os.fstat(_STANDARD_INPUT_FILE), path.stat())
    except OSError:  # it is closed
        return False


def _open(source: str, column: str | None) -> Iterator[Picture]:
    path = Path(source)
    if column is not None and (path.suffix.lower() != ".csv" or path.is_dir()):
        raise ScoringError(f"--column {column}: only a .csv file has columns, and {source} is none")
    if source == STANDARD_INPUT:
        return _listed(sys.stdin.buffer, "standard input")
    if path.is_dir():
        return _in_folder(source)
    if path.exists():
        return _in_file(path, column)
    if glob.has_magic(source):
        return _matching(source)
    raise ScoringError(f"{source}: there is no such file or folder")


def _in_file(path: Path, column: str | None) -> Iterator[Picture]:
    source, lower = str(path), path.name.lower()
    if lower.endswith(PACKED_TAR):
        return in_packed_tar(source)
    if lower.endswith(PICTURE_SUFFIXES):
        return iter((FilePicture(source, source),))
    match path.suffix.lower():
        case ".zip":
            return in_zip(source)
        case ".tar":
            return in_tar(source)
        case ".csv":
            return _in_csv(path, column)
        case ending if ending in _NO_LISTS:
            raise ScoringError(f"{source}: {ending} files cannot be read; {_NO_LISTS[ending]}")
        case _:
            return _in_list(path)


def _in_folder(root: str) -> Iterator[Picture]:
    """The pictures of a folder: files before subfolders, by name; no hidden ones, and no links to folders."""
    waiting = [("", root)]
    while waiting:
        prefix, folder = waiting.pop()
        try:
            files, folders = _list_folder(folder)
        except OSError as error:
            if not prefix:
                raise
            yield UnreadablePicture(prefix, f"this folder cannot be read: {error.strerror}")
            continue
        for name in files:
            yield FilePicture(f"{prefix}{name}", os.path.join(folder, name))  # noqa: PTH118  faster than Path
        waiting += [(f"{prefix}{name}/", os.path.join(folder, name)) for name in reversed(folders)]  # noqa: PTH118


def _list_folder(folder: str) -> tuple[list[str], list[str]]:
    """The names of possible pictures in a folder, and of its subfolders, sorted."""
    files, folders = [], []
    with os.scandir(folder) as found:
        for entry in found:
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.name)
            elif is_picture(entry.name) and not (entry.is_symlink() and Path(entry.path).is_dir()):
                files.append(entry.name)
    return sorted(files), sorted(folders)


def _matching(pattern: str) -> Iterator[Picture]:
    for path in sorted(set(_expand(pattern))):
        if not Path(path).is_dir():
            yield FilePicture(path, path)


def _expand(pattern: str) -> Iterator[str]:
    """The paths that match. ``**`` is any number of folders; it follows no links, which may form loops."""
    found = _ANY_FOLDERS.search(pattern)
    if found is None:
        yield from glob.iglob(pattern)  # noqa: PTH207  the pattern may be absolute
        return
    before, after = pattern[: found.start()], pattern[found.end() :] or "*"
    for base in glob.iglob(before) if before else (".",):  # noqa: PTH207
        for folder, names, _ in os.walk(base):
            names[:] = [name for name in names if not name.startswith(".")]
            below = folder if before else folder[2:]  # without the ./ of the working folder
            yield from _expand(os.path.join(glob.escape(below), after))  # noqa: PTH118


def _in_list(path: Path) -> Iterator[Picture]:
    with path.open("rb") as lines:
        yield from _listed(lines, str(path))


def _listed(file: IO[bytes], source: str) -> Iterator[Picture]:
    for number, line in enumerate(_lines(file, b"\n", source)):
        text = line
        if number == 0:
            _check_encoding(line, source)
            if b"\0" in line:
                raise ScoringError(f"{source}: it is no list of paths, one a line: its first line has a zero byte")
            text = line.removeprefix(codecs.BOM_UTF8)
        if path := os.fsdecode(text.rstrip(b"\r\n")):
            yield FilePicture(path, path)


def _lines(file: IO[AnyStr], end: AnyStr, source: str) -> Iterator[AnyStr]:
    """The lines of a file; their length is limited, since a file that is not text may have no line breaks."""
    while line := file.readline(_MOST_LINE):
        if len(line) == _MOST_LINE and not line.endswith(end):
            raise ScoringError(f"{source}: it is no list of paths: a line is longer than {_MOST_LINE} characters")
        yield line


def _check_encoding(start: bytes, source: str) -> None:
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) and b"\0" in start:
        raise ScoringError(f"{source}: its text is UTF-16; save it as UTF-8")


def _in_csv(source: Path, column: str | None) -> Iterator[Picture]:
    """The pictures of a CSV; paths are relative to its folder if the file exists there, else to the working folder."""
    with source.open("rb") as start:
        _check_encoding(start.read(64), str(source))
    with source.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
        rows = csv.DictReader(_lines(file, "\n", str(source)))
        column = _column_of(list(rows.fieldnames or ()), column, str(source))
        for row in rows:
            if not any(row.values()):  # spreadsheets write such rows at the end
                continue
            if not (path := row[column]):
                yield UnreadablePicture("", f"line {rows.line_num} of {source.name} has no path in {column}")
                continue
            beside = source.parent / path
            yield FilePicture(path, str(beside) if beside.exists() else path)


def _column_of(names: list[str], column: str | None, source: str) -> str:
    """The column of paths in a CSV with these columns.

    Raises:
        ScoringError: it is not clear which; the message says what would make it clear.
    """
    if not names:
        raise ScoringError(f"{source}: it is empty; its first line has to name the columns")
    if column not in names and len(names) == 1 and (";" in names[0] or "\t" in names[0]):
        raise ScoringError(f"{source}: its first line has one column, {names[0]!r}; separate the columns with commas")
    if picture := next((name for name in names if name.strip().lower().endswith(PICTURE_SUFFIXES)), None):
        raise ScoringError(
            f"{source}: its first line is a picture, {picture}, and not the names of the columns; add a first line "
            "such as `path`, or give a list of paths a name that ends in .txt"
        )
    if column is None:
        usual = [name for name in names if name.strip().casefold() in _USUAL_COLUMNS]
        column = names[0] if len(names) == 1 else usual[0] if len(set(usual)) == 1 else None
    if column is None or column not in names:
        raise ScoringError(
            f"{source}: --column must say which column holds the paths: {', '.join(names)}; for example --column "
            + shlex.quote(names[0])
        )
    if names.count(column) > 1:
        raise ScoringError(f"{source}: several columns have the name {column}; give the column of paths its own name")
    return column
