"""The values of the metrics of several workers, in files that all of them read.

prometheus-client writes them through ``mmap`` into sparse files. If the disk is full, the kernel cannot allocate a
block and ends the process with SIGBUS. So the space is allocated before it is written, and a full disk causes an
``OSError``: the value is then kept in this process only, and the service goes on.

Counts of a worker that has ended are still shown. They are added up in one file, so that restarted workers do not fill
the folder.
"""

import fcntl
import logging
import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from prometheus_client import values
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import mark_process_dead

logger = logging.getLogger(__name__)

_FIRST_BYTES: Final = 1 << 14
_MOST_BYTES_BESIDE_KEY: Final = 4 + 8 + 16  # length, padding, value and time


class AllocatedDict(MmapedDict):
    """prometheus-client's file of values, with its space allocated before it is written.

    Args:
        filename: of the file.

    Raises:
        OSError: the disk is full.
    """

    def __init__(self, filename: str) -> None:
        if not Path(filename).exists():
            # Other processes read every file of the folder, so this one gets its name only when it is complete.
            unfinished = Path(f"{filename}.new")
            try:
                with unfinished.open("wb") as file:
                    os.posix_fallocate(file.fileno(), 0, _FIRST_BYTES)
                unfinished.replace(filename)
            finally:
                unfinished.unlink(missing_ok=True)
        super().__init__(filename)  # type: ignore[no-untyped-call]

    def _init_value(self, key: str) -> None:
        size = self._capacity
        while self._used + len(key.encode()) + _MOST_BYTES_BESIDE_KEY > size:
            size *= 2
        if size > self._capacity:
            os.posix_fallocate(self._f.fileno(), 0, size)
            self._m = mmap.mmap(self._f.fileno(), size)
            self._capacity = size
        super()._init_value(key)  # type: ignore[no-untyped-call]


class SharedValues:
    """Makes the values of metrics, instead of prometheus-client.

    Args:
        folder: of the files.

    Attributes:
        folder: of the files.
        is_complete: whether all values of this process are in the files; False after the disk was full once.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.is_complete = True
        self._make = values.MultiProcessValue()  # type: ignore[no-untyped-call]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Makes a value: shared, or in this process only where the disk is full."""
        try:
            return self._make(*args, **kwargs)
        except OSError as error:
            if self.is_complete:
                logger.warning(
                    "%s has no room for the metrics (%s): /metrics shows this worker alone", self.folder, error.strerror
                )
            self.is_complete = False
            return values.MutexValue(*args, **kwargs)  # type: ignore[no-untyped-call]


def share_values(folder: Path) -> None:
    """Makes all metrics of this process that are created from now on share their values with other processes.

    Args:
        folder: of the files, the same in each process.
    """
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)  # read by prometheus-client
    values.MmapedDict = AllocatedDict  # type: ignore[attr-defined, assignment]
    values.ValueClass = SharedValues(folder)


def shared_folder() -> Path | None:
    """The folder with the metrics of all workers; None where each process has only its own metrics."""
    shared = values.ValueClass
    is_usable = isinstance(shared, SharedValues) and shared.is_complete and shared.folder.is_dir()
    return shared.folder if is_usable else None


@contextmanager
def reading(folder: Path) -> Iterator[None]:
    """Locks the files during the context, so that no count is read twice or is missing."""
    with _locked(folder, fcntl.LOCK_SH):
        yield


def retire(folder: Path, pid: int) -> None:
    """Keeps the counts of a worker that has ended, and removes its gauges.

    Args:
        folder: of the files.
        pid: of the worker.

    Raises:
        OSError: the disk is full, the files are being read, or the folder was removed. The counts are then still in
            the worker's own files.
    """
    mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]
    with _locked(folder, fcntl.LOCK_EX | fcntl.LOCK_NB):  # a stopped reader must not block the parent
        for gauges in folder.glob(f"gauge_*_{pid}.db"):
            gauges.unlink()
        for kind in ("counter", "histogram"):
            ended, total = folder / f"{kind}_{pid}.db", folder / f"{kind}_ended.db"
            if ended.exists():
                _add_up((ended, total) if total.exists() else (ended,), total)
                ended.unlink()


def _add_up(files: tuple[Path, ...], total: Path) -> None:
    unfinished = total.with_suffix(".sum")
    unfinished.unlink(missing_ok=True)
    sums = AllocatedDict(str(unfinished))
    for file in files:
        for key, value, _, _ in MmapedDict.read_all_values_from_file(file):  # type: ignore[no-untyped-call]
            before, _ = sums.read_value(key)  # type: ignore[no-untyped-call]
            sums.write_value(key, before + value, 0.0)  # type: ignore[no-untyped-call]
    sums.close()  # type: ignore[no-untyped-call]
    unfinished.replace(total)


@contextmanager
def _locked(folder: Path, how: int) -> Iterator[None]:
    with (folder / "lock").open("ab") as lock:
        fcntl.flock(lock, how)
        yield
