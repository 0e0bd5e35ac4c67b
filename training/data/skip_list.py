"""``skipped.tsv``: the files and folders that ``--skip-bad`` left out, with what is wrong with each."""

from collections.abc import Sequence
from pathlib import Path

from training.data.listing import Trouble
from training.errors import DataError
from training.files import one_line, write_atomically

SKIP_LIST = "skipped.tsv"
_HEADER = "file\tproblem\twhat is wrong\n"


def check_replaceable(path: Path) -> None:
    """Checks that no other file than an earlier list stands in the list's place, since it would be lost.

    Raises:
        DataError: one does.
    """
    if path.exists() and not _is_skip_list(path):
        raise DataError(
            f"{path} is there already, and no list that this version wrote: --skip-bad would replace it, so rename it"
        )


def write_skip_list(path: Path, troubles: Sequence[Trouble]) -> None:
    """Replaces the list; without troubles, that of an earlier run is removed.

    Raises:
        OSError: it cannot be written.
    """
    if not troubles:
        remove_skip_list(path)
        return
    lines = [f"{one_line(str(item.path))}\t{item.kind}\t{one_line(item.what)}\n" for item in troubles]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, "".join([_HEADER, *lines]).encode("utf-8", "backslashreplace"))


def remove_skip_list(path: Path) -> None:
    """Removes the list of an earlier run; another file of that name stays."""
    if _is_skip_list(path):
        path.unlink(missing_ok=True)


def _is_skip_list(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.readline(len(_HEADER)) == _HEADER.encode()
