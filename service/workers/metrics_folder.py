"""The temporary folder in which several workers share their metrics.

Every process that uses the folder holds a lock on it (``flock`` of the folder itself). The kernel releases the lock
when the process ends, even if it is killed. So the last process can tell that it is the last, and removes the folder.
If all processes of a folder were killed, the next start finds it without a lock and removes it.
"""

import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

_PREFIX: Final = "convoy-metrics-"


class MetricsFolder:
    """A folder that this process uses until it calls :meth:`leave`.

    Args:
        path: of the folder.

    Raises:
        OSError: the folder does not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._locks = [os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)]
        fcntl.flock(self._locks[0], fcntl.LOCK_SH)

    @classmethod
    def make(cls) -> Self:
        """Makes a new folder, and removes those whose processes have all ended.

        Raises:
            OSError: there is no temporary folder that can be written to.
        """
        for left_behind in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
            with suppress(OSError):  # removed by another start
                if left_behind.lstat().st_uid == os.geteuid():
                    cls(left_behind).leave()
        while True:
            path = Path(tempfile.mkdtemp(prefix=_PREFIX))
            with suppress(FileNotFoundError):  # another start has removed it, because it was not locked yet
                folder = cls(path)
                if path.exists():
                    return folder
                folder.leave()

    def leave(self) -> None:
        """Ends this process's use of the folder. The last process removes the folder.

        May be called in two threads: the one that ends the process at its time limit finds the main thread anywhere.
        """
        try:
            lock = self._locks.pop()  # by one thread only, without a lock that could be waited for
        except IndexError:
            return
        with suppress(OSError):  # other processes use it
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(self.path, ignore_errors=True)
        os.close(lock)
