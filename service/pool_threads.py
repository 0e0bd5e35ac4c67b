"""Runs work in the threads of a pool, and says so where the system allows no further thread.

::

    work ─> a thread is free, or can be started ─> the work's result
         └> none can be started ────────────────> 503, "try again"
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Final, TypeVar

from service.errors import OverloadedError

T = TypeVar("T")

_RETRY_AFTER_S: Final = 1.0


def no_thread() -> OverloadedError:
    """The error where no thread can be started."""
    return OverloadedError("no thread can be started: the limit of processes or of memory is reached", _RETRY_AFTER_S)


async def run_in_pool(work: Callable[[], T], executor: Executor | None = None) -> T:
    """Runs work in a thread.

    Args:
        work: called in the thread.
        executor: the pool; None is the event loop's own.

    Returns:
        The result of the work.

    Raises:
        OverloadedError: no thread can be started.
        Exception: any error of the work.
    """
    waiting = [work]

    def begin() -> T:
        return waiting.pop()()

    try:
        result = asyncio.get_running_loop().run_in_executor(executor, begin)
    except RuntimeError:
        waiting.clear()  # the pool keeps what it could not begin; it would hold a body in memory, and run too late
        raise no_thread() from None
    return await result
