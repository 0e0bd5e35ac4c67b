"""Opens and reads regular files only: a folder, or a pipe or device, which might never end, is refused."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def open_regular(path: Path) -> Iterator[tuple[BinaryIO, int]]:
    """Opens a regular file without waiting for a writer, as opening a pipe would.

    Args:
        path: of the file; links are followed.

    Yields:
        The file, and its length in bytes.

    Raises:
        OSError: it cannot be opened.
        ValueError: it is not a regular file.
    """
    number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(number)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("it is not a regular file")
        with open(number, "rb", closefd=False) as file:
            yield file, status.st_size
    finally:
        os.close(number)


def read_regular(path: Path, most_bytes: int) -> bytes:
    """Reads a regular file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not a regular file.
        OverflowError: it is too long.
    """
    with open_regular(path) as (file, length):
        if length > most_bytes:
            raise OverflowError(f"it has {length} bytes; at most {most_bytes} can be")
        return file.read(most_bytes)
