"""The pictures to score, in a form that a worker process can read.

A worker gets the path of a picture, or its position in an archive. Only pictures in compressed archives, which can be
read only in order, are sent with their bytes.
"""

import lzma
import os
import zipfile
import zlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final, Protocol

from service.errors import ScoringError
from service.regular_file import open_regular

MOST_FILE_BYTES: Final = 256 << 20
"""Longer files are refused; the header of an archive may declare any length."""

PICTURE_SUFFIXES: Final = (
    *(".avif", ".bmp", ".dib", ".gif", ".heic", ".heif", ".jfif"),
    *(".jpe", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"),
)
_ENCRYPTED: Final = 1  # of a zip member's flags (APPNOTE 4.4.4)


class Picture(Protocol):
    """One picture that can be read in another process."""

    @property
    def name(self) -> str:
        """Its name in the table."""

    def read(self) -> bytes:
        """The whole file.

        Raises:
            OSError: it cannot be read.
            ScoringError: it is too long, or damaged inside its archive.
        """


@dataclass(frozen=True, slots=True)
class FilePicture:
    """A file."""

    name: str
    path: str

    def read(self) -> bytes:
        """See :class:`Picture`."""
        if "\0" in self.path:
            raise ScoringError("its name has a zero byte, which no file's name can have")
        try:
            with open_regular(Path(self.path)) as (file, length):
                _check_length(length)
                return file.read()
        except ValueError as error:
            raise ScoringError(str(error)) from None


@dataclass(frozen=True, slots=True)
class UnreadablePicture:
    """A picture that is known to be unreadable when it is found, with the reason."""

    name: str
    reason: str

    def read(self) -> bytes:
        """See :class:`Picture`."""
        raise ScoringError(self.reason)


@dataclass(frozen=True, slots=True)
class ZipPicture:
    """A member of a zip archive."""

    name: str
    archive: str
    number: int  # several members may have the same name

    def read(self) -> bytes:
        """See :class:`Picture`."""
        try:
            archive = _open_zip(self.archive)
            member = archive.infolist()[self.number]
            if member.flag_bits & _ENCRYPTED:
                raise ScoringError("it is encrypted inside the archive")
            _check_length(member.file_size)
            return archive.read(member)
        except (
            zipfile.BadZipFile,
            zlib.error,
            lzma.LZMAError,
            IndexError,
            NotImplementedError,
            RuntimeError,
            EOFError,
            ValueError,
        ) as error:
            raise ScoringError(f"it cannot be taken out of the archive: {error}") from error


@dataclass(frozen=True, slots=True)
class SlicePicture:
    """A part of a file: a member of an uncompressed tar archive."""

    name: str
    archive: str
    offset: int
    size: int

    def read(self) -> bytes:
        """See :class:`Picture`."""
        _check_length(self.size)
        with open(self.archive, "rb", buffering=0) as file:  # noqa: PTH123  faster than Path, and called for each picture
            data = os.pread(file.fileno(), self.size, self.offset)
        if len(data) < self.size:
            raise ScoringError("the archive ends before it does")
        return data


@dataclass(frozen=True, slots=True)
class SentPicture:
    """A picture with its bytes: a member of a compressed archive, which can only be read in order."""

    name: str
    data: bytes

    def read(self) -> bytes:
        """See :class:`Picture`."""
        _check_length(len(self.data))
        return self.data


def is_picture(name: str) -> bool:
    """Whether a name ends as a picture's, without hidden folders: macOS adds hidden copies of files to archives."""
    return name.lower().endswith(PICTURE_SUFFIXES) and not any(
        step.startswith(".") for step in name.split("/") if step not in (".", "..")
    )


@lru_cache(maxsize=4)
def _open_zip(path: str) -> zipfile.ZipFile:
    """Opens an archive; a worker keeps it open, since reading the directory of a large archive takes long."""
    return zipfile.ZipFile(path)


def _check_length(size: int) -> None:
    if size > MOST_FILE_BYTES:
        raise ScoringError(f"it has more than {MOST_FILE_BYTES} bytes, which is the most that is read of a picture")
