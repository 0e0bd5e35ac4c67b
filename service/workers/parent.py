"""The end of a child process with its parent, however that ends: also by SIGKILL, and when memory is short."""

import ctypes
import os
import signal
from contextlib import suppress
from typing import Final

_PR_SET_PDEATHSIG: Final = 1


def end_with_parent(parent: int) -> None:
    """Lets the kernel end this process when its parent has ended; nothing where the system is not Linux.

    To be called in the child. Source: prctl(2), ``PR_SET_PDEATHSIG``.

    Args:
        parent: process id of the parent; where that has ended already, this process ends at once.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
