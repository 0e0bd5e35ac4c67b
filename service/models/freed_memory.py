"""Gives memory that was freed back to the system."""

import ctypes
from contextlib import suppress


def return_freed_memory() -> None:
    """Asks the C library to give back what it keeps of freed memory; nothing where it cannot.

    A model is many small pieces of memory and some large ones. glibc keeps freed pieces for later, in as many arenas as
    there were threads, and the pieces of the next model do not fill the same gaps: 300 reloads of a model of 2 MB took
    110 MB to 370. It takes 2 to 10 ms, and may run in any thread.
    """
    with suppress(OSError, AttributeError):  # another C library, or none that can be asked
        ctypes.CDLL(None).malloc_trim(0)
