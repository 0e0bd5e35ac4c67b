"""Returns freed memory to the system."""

import ctypes
from contextlib import suppress
from typing import Final

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_LARGE_BYTES: Final = 4 << 20
_LARGE_BYTES_OF_MODELS: Final = 1 << 20
_MOST_KEPT_BYTES: Final = 16 << 20


def return_large_blocks() -> None:
    """Makes the C library return each block of at least 4 MiB as soon as it is freed; does nothing where it cannot.

    At first, glibc does so from 128 KiB on. But whenever such a block is freed, it raises this threshold to its size,
    up to 32 MiB. Smaller blocks are then put into the heap, where freed bodies leave gaps that later blocks do not fit
    into: many requests of 3 MB that ended with 504 left a heap of 99 MB. With a threshold of 4 MiB the process keeps
    10 MB after 2,600 of them. With 1 MiB it keeps 22 MB, and a photograph of 12 megapixels costs 7 % more CPU time: its
    blocks are new memory for every request, of which the kernel clears each page. It must be called before other
    threads are started.

    Source: mallopt(3).
    """
    _set(_M_MMAP_THRESHOLD, _LARGE_BYTES)
    _set(_M_TRIM_THRESHOLD, _MOST_KEPT_BYTES)


class ModelMemory:
    """Keeps the large blocks of models out of the heap: from 1 MiB on, while at least one model is being loaded.

    A model of 2 MB that is replaced leaves gaps in the heap, since small blocks that stay are put between. After 300
    reloads the process had grown by 30 MB with the threshold of 4 MiB, and by 9 MB with this one. It is used in one
    thread, by ``with``; loads may overlap.
    """

    def __init__(self) -> None:
        self._loads = 0

    def __enter__(self) -> None:
        self._loads += 1
        if self._loads == 1:
            _set(_M_MMAP_THRESHOLD, _LARGE_BYTES_OF_MODELS)

    def __exit__(self, *_error: object) -> None:
        self._loads -= 1
        if self._loads == 0:
            _set(_M_MMAP_THRESHOLD, _LARGE_BYTES)


def return_freed_memory() -> None:
    """Makes the C library return the freed memory that it keeps; does nothing where it cannot.

    A model has many small blocks of memory and some large ones. glibc keeps freed blocks, in one arena for each thread,
    and the blocks of the next model do not fit into the same gaps: after 300 reloads of a model of 2 MB, the process
    had grown from 110 MB to 370 MB. The call takes 2 to 10 ms, and may be made in any thread.
    """
    with suppress(OSError, AttributeError):  # another C library, or one without this function
        ctypes.CDLL(None).malloc_trim(0)


def _set(option: int, value: int) -> None:
    with suppress(OSError, AttributeError):  # another C library, or one without this function
        ctypes.CDLL(None).mallopt(option, value)
