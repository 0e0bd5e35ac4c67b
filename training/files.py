"""Finds and reads whole files from untrusted sources, and replaces files atomically."""

import contextlib
import errno
import os
import stat
from pathlib import Path

from training.errors import ModelFileError

MEBIBYTE = 1 << 20


def read_file(path: Path, max_bytes: int) -> bytes:
    """Reads a regular file.

    Named pipes and devices are not opened: reading a pipe may wait forever, and a device may have no end.

    Args:
        path: of the file.
        max_bytes: the largest size that is read.

    Raises:
        OSError: it cannot be read, is no regular file, or is longer. ``strerror`` says which.
    """
    found = path.stat()
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    if found.st_size > max_bytes:
        raise OSError(
            errno.EFBIG, f"{found.st_size} bytes long, and at most {max_bytes // MEBIBYTE} MiB are read", str(path)
        )
    with path.open("rb") as file:
        return file.read(found.st_size)


def model_file(path: Path) -> Path:
    """The model file of a path: the path itself or, if it is the folder of a version, the file in it.

    Raises:
        ModelFileError: it is a folder without a model file; the message says which versions it has.
    """
    if not path.is_dir():
        return path
    if (path / "model.onnx").is_file():
        return path / "model.onnx"
    versions = sorted((one for one in path.glob("*/model.onnx")), key=lambda one: one.parent.name)
    if versions:
        raise ModelFileError(f"{path} holds versions; say which: {', '.join(str(one.parent) for one in versions)}")
    raise ModelFileError(f"{path} holds no model.onnx")


def leads_out(path: Path, folder: Path) -> bool:
    """Whether a path, with its links followed, is outside a folder.

    A loop of links, and a name that no file can have, count as outside.
    """
    try:
        return not path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError):
        return True


def write_atomically(path: Path, content: bytes | memoryview) -> None:
    """Replaces a file atomically.

    Raises:
        OSError: it cannot be written; the old content stays.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise OSError(error.errno, error.strerror, str(path)) from error


def reason(error: BaseException) -> str:
    """Why something failed, in one line: what the system says, or the error's own message."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    unsaid = "there is not enough memory" if isinstance(error, MemoryError) else "no reason is given"
    return one_line(text)[:200] or unsaid


def one_line(text: str) -> str:
    """The text without line breaks and control characters, which file names may contain."""
    return "".join(sign if sign.isprintable() else "?" for sign in " ".join(text.split()))
