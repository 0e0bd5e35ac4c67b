"""The model repository: the numbers of versions, and how a new version is written there atomically."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from training.errors import PublishError, RecipeError
from training.files import reason

_PROBE_BYTES = 1 << 16


def next_version(repository: Path, name: str) -> str:
    """The number after the highest that ``repository/name`` holds; 1 where it holds none."""
    taken = [int(path.name) for path in (repository / name).glob("*") if path.name.isdecimal()]
    return str(max(taken, default=0) + 1)


def check_version(version: str) -> None:
    """Checks that a version is valid.

    Raises:
        RecipeError: it is no whole number from 1 upwards.
    """
    if not (version.isascii() and version.isdecimal()) or int(version) < 1:
        raise RecipeError(f"--version {version}: a whole number from 1 upwards is needed")


def check_writable(*folders: Path) -> None:
    """Checks that folders can be written, or made; nothing is left behind.

    Raises:
        PublishError: a folder cannot be written, or there is a file of that name.
    """
    for folder in folders:
        there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        if not there.is_dir():
            raise PublishError(f"{folder} cannot be made: {there} is no folder")
        try:
            with tempfile.TemporaryFile(dir=there) as file:
                file.write(b" " * _PROBE_BYTES)
                file.flush()
        except OSError as error:
            raise PublishError(f"{folder} cannot be written ({reason(error)}): nothing was begun") from error


@contextmanager
def publishing(repository: Path, name: str, version: str) -> Iterator[Path]:
    """Yields an empty folder that becomes ``repository/name/version`` when its block ends well.

    An older version of this number is replaced; it stays where the block fails.

    Args:
        repository: ``models/``.
        name: of the model.
        version: a whole number from 1 upwards.

    Raises:
        RecipeError: the version is no whole number.
        PublishError: the repository, or something in the block, cannot be written.
    """
    check_version(version)
    target = repository / name / version
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # A server that looks for versions ignores names with a leading dot.
        with tempfile.TemporaryDirectory(prefix=f".{version}-", dir=target.parent) as scratch:
            made, old = Path(scratch) / "new", Path(scratch) / "old"
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
