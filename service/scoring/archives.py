"""Reads the pictures of an archive in its order. Nothing is unpacked to disk, so members' names cannot do harm."""

import bz2
import gzip
import lzma
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Final, Self, cast

from service.errors import ScoringError
from service.scoring.pictures import (
    MOST_FILE_BYTES,
    Picture,
    SentPicture,
    SlicePicture,
    UnreadablePicture,
    ZipPicture,
    is_picture,
)

PACKED_TAR: Final = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_OPENERS: Final[dict[str, Callable[[str], Any]]] = {
    "gz": gzip.open,
    "tgz": gzip.open,
    "bz2": bz2.open,
    "xz": lzma.open,
}
_CUT_OFF: Final = "the zeros that end a tar are missing; it was cut off, or is still being written"
_LENGTH: Final = "a header in it has an impossible length"
_MOST_NAME_BYTES: Final = 1 << 20
_OF_NAMES: Final = (
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
)


class _Member(tarfile.TarInfo):
    """A member of a tar; impossible lengths are refused, because :mod:`tarfile` would read a name of any length."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """See :class:`tarfile.TarInfo`."""
        member = super().frombuf(buf, encoding, errors)
        if member.size < 0 or (member.type in _OF_NAMES and member.size > _MOST_NAME_BYTES):
            raise tarfile.ReadError(_LENGTH)
        return member


def in_zip(source: str) -> Iterator[Picture]:
    """The pictures of a zip. Each process holds its directory, about 600 bytes for each picture.

    Raises:
        OSError, zipfile.BadZipFile: it cannot be read.
    """
    with zipfile.ZipFile(source) as archive:
        for number, name in enumerate(archive.namelist()):
            if is_picture(name):
                yield ZipPicture(name, source, number)


def in_tar(source: str) -> Iterator[Picture]:
    """The pictures of an uncompressed tar, by their offsets.

    Raises:
        OSError, EOFError, tarfile.TarError: it cannot be read.
        ScoringError: it is damaged.
    """
    with open(source, "rb") as file, tarfile.open(fileobj=file, mode="r:", tarinfo=_Member) as archive:  # noqa: PTH123  as below
        size = Path(source).stat().st_size
        while (member := archive.next()) is not None:
            if archive.offset > size:
                raise EOFError(_CUT_OFF)
            if _is_listed(member):
                yield _unreadable(member) or SlicePicture(member.name, source, member.offset_data, member.size)
            archive.members = []  # type: ignore[attr-defined]  # otherwise tarfile keeps every member in memory
        if archive.offset >= size:
            raise EOFError(_CUT_OFF)
        file.seek(archive.offset)
        _check_end(file, source)


def in_packed_tar(source: str) -> Iterator[Picture]:
    """The pictures of a compressed tar, with their bytes, because it can be read only from its beginning.

    Raises:
        OSError, EOFError, lzma.LZMAError, zlib.error, tarfile.TarError: it cannot be read.
        ScoringError: it is damaged.
    """
    # tarfile's own decompression does not notice a truncated file.
    opened = _OPENERS[source.lower().rpartition(".")[2]](source)
    with opened as stream, tarfile.open(fileobj=stream, mode="r|", tarinfo=_Member) as archive:
        for member in archive:
            if _is_listed(member):
                file = archive.extractfile(member) if member.isreg() else None
                data = b"" if file is None else file.read(MOST_FILE_BYTES + 1)
                yield _unreadable(member) or SentPicture(member.name, data)
            archive.members = []  # type: ignore[attr-defined]  # as above
        _check_end(cast("IO[bytes]", archive.fileobj), source)  # not the stream, from which tarfile has read ahead


def _is_listed(member: tarfile.TarInfo) -> bool:
    """Whether a member of a tar has the name of a picture and is not a folder."""
    if member.size < 0:
        raise tarfile.ReadError(_LENGTH)
    return is_picture(member.name) and not member.isdir()


def _unreadable(member: tarfile.TarInfo) -> UnreadablePicture | None:
    if member.issym() or member.islnk():
        return UnreadablePicture(member.name, "it is a link to another file, and links are not followed in an archive")
    if member.issparse():
        return UnreadablePicture(member.name, "it is a sparse file, whose zeros are left out of the archive")
    if not member.isreg():
        return UnreadablePicture(member.name, "it is not a regular file")
    return None


def _check_end(file: IO[bytes], source: str) -> None:
    """Checks that only zeros follow, because :mod:`tarfile` treats a damaged header as the end."""
    while rest := file.read(1 << 20):
        if any(rest):
            raise ScoringError(
                f"{source}: not all of it can be read: a header in it is damaged, or it is several tars in one file, "
                "of which only the first is read"
            )
