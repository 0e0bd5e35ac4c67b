"""The temporary folder in which several workers share their metrics.

Every process that uses it holds a lock on it (``flock`` of the folder itself), which the kernel releases when the
process ends in whatever way. So the last process that leaves can tell that it is the last, and removes the folder; and
a folder whose processes were all killed is seen to have no owner, and is removed by the next start.
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
    """A folder that this process uses until it leaves it.

    Args:
        path: of the folder.

    Raises:
        OSError: it is not there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        fcntl.flock(self._lock, fcntl.LOCK_SH)

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
            with suppress(FileNotFoundError):  # another start took it for a folder without owner: it was not locked yet
                folder = cls(path)
                if path.exists():
                    return folder
                folder.leave()

    def leave(self) -> None:
        """Ends this process's use. The last one to leave removes the folder."""
        with suppress(OSError):  # others use it
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)
