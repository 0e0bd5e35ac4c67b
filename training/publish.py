"""The model repository: the numbers of versions, and how a new version is written there atomically."""

import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contract import VERSION_RULE, is_version
from training.errors import PublishError, RecipeError
from training.files import reason

_PROBE_BYTES = 1 << 16
_SCRATCH = re.compile(r"\.([1-9][0-9]*)-[a-z0-9_]{8}")


def next_version(repository: Path, name: str) -> str:
    """The number after the highest that ``repository/name`` holds; 1 where it holds none."""
    taken = [int(path.name) for path in (repository / name).glob("*") if path.name.isdecimal()]
    return str(max(taken, default=0) + 1)


def check_version(version: str) -> None:
    """Checks that a version is valid.

    Raises:
        RecipeError: it is no whole number from 1 to 999999999, or has leading zeros.
    """
    if not is_version(version):
        raise RecipeError(f"--version {version}: {VERSION_RULE} is needed")


def check_writable(*folders: Path) -> None:
    """Checks that folders can be written, or made; nothing is left behind.

    Raises:
        PublishError: a folder cannot be written, or there is a file of that name.
    """
    for folder in folders:
        there = next(path for path in (folder, *folder.absolute().parents) if path.exists() or path.is_symlink())
        if not there.is_dir():
            raise PublishError(f"{folder} cannot be made: {there} is no folder")
        try:
            with tempfile.TemporaryFile(dir=there) as file:
                file.write(b" " * _PROBE_BYTES)
                file.flush()
        except OSError as error:
            raise PublishError(f"{folder} cannot be written ({reason(error)}): nothing was begun") from error


@contextmanager
def publishing(repository: Path, name: str, version: str | None) -> Iterator[Path]:
    """Yields an empty folder that becomes ``repository/name/version`` when its block ends well.

    Its name is the version. One process at a time publishes a model, so the next free number stays free. An older
    version of a given number is replaced; it stays where the block fails.

    Args:
        repository: ``models/``.
        name: of the model.
        version: a whole number from 1 upwards; None takes the next free one.

    Raises:
        RecipeError: the version is no whole number.
        PublishError: the repository, or something in the block, cannot be written.
    """
    if version is not None:
        check_version(version)
    model = repository / name
    target = model / (version or "")
    try:
        model.mkdir(parents=True, exist_ok=True)
        with _alone(model):
            target = model / (version or next_version(repository, name))
            # A server that looks for versions ignores names with a leading dot.
            with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=model) as scratch:
                made, old = Path(scratch) / target.name, Path(scratch) / "old"
                made.mkdir()
                yield made
                if target.exists():
                    target.replace(old)
                try:
                    made.replace(target)
                except OSError:
                    if old.exists():
                        old.replace(target)
                    raise
    except OSError as error:
        raise PublishError(f"{target} cannot be written ({reason(error)}): nothing is published") from error


@contextmanager
def _alone(model: Path) -> Iterator[None]:
    """Waits until no other process publishes this model, and removes what a killed one left."""
    directory = os.open(model, os.O_RDONLY)
    try:
        try:
            fcntl.flock(directory, fcntl.LOCK_EX)
        except OSError:  # some network file systems lock no folders
            yield
            return
        for left in model.iterdir():
            if (found := _SCRATCH.fullmatch(left.name)) and left.is_dir() and not left.is_symlink():
                old, target = left / "old", model / found[1]
                if old.is_dir() and not target.exists():  # killed between the two renames
                    old.replace(target)
                shutil.rmtree(left, ignore_errors=True)
        yield
    finally:
        os.close(directory)
