"""Runs work that may never end in a daemon thread.

At its end, a process waits for the threads of asyncio. A model that never finishes loading, or a network file system
that does not answer, would then keep the process from ending.
"""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from service.pool_threads import no_thread

T = TypeVar("T")


async def run_in_daemon_thread(work: Callable[[], T], *, name: str, timeout_s: float) -> T:
    """Runs work in a new thread.

    Args:
        work: called in the thread.
        name: of the thread, as debuggers show it.
        timeout_s: how long to wait for it.

    Returns:
        The result of the work.

    Raises:
        TimeoutError: the work has not ended in time. It goes on, and its result is dropped.
        OverloadedError: no thread can be started.
        Exception: any error of the work.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if future.done():  # the wait has ended already
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result, failure = None, None
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001  it is raised in the coroutine that waits
            failure = error
        with suppress(RuntimeError):  # the event loop was closed
            loop.call_soon_threadsafe(settle, result, failure)

    try:
        threading.Thread(target=run, name=name, daemon=True).start()
    except RuntimeError:
        raise no_thread() from None
    async with asyncio.timeout(timeout_s):
        return await future
