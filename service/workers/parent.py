"""Ends a child process together with its parent, also when the parent is killed."""

import ctypes
import os
import signal
from contextlib import suppress
from typing import Final

_PR_SET_PDEATHSIG: Final = 1


def end_with_parent(parent: int) -> None:
    """Makes the kernel end this process when its parent has ended; does nothing on systems other than Linux.

    It must be called in the child. Source: prctl(2), ``PR_SET_PDEATHSIG``.

    Args:
        parent: process id of the parent; if the parent has ended already, this process ends at once.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
