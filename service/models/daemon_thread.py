"""Work that may never end, done in a thread that nothing waits for.

asyncio's own threads are waited for when the loop and the process end. A model that never finishes loading, or a
network file system that does not answer, would then keep the process from ending.
"""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


async def run_in_daemon_thread(work: Callable[[], T], *, name: str, timeout_s: float) -> T:
    """Does work in a thread of its own.

    Args:
        work: to be done.
        name: of the thread, as debuggers show it.
        timeout_s: how long to wait for it.

    Returns:
        Its result.

    Raises:
        TimeoutError: it has not ended in time. It goes on, and its result is dropped.
        Exception: whatever it raises; RuntimeError where no thread can be started.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if future.done():  # nobody waits for it any more
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result, failure = None, None
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001  it is raised again where the result is waited for
            failure = error
        with suppress(RuntimeError):  # the loop has been closed meanwhile
            loop.call_soon_threadsafe(settle, result, failure)

    threading.Thread(target=run, name=name, daemon=True).start()
    async with asyncio.timeout(timeout_s):
        return await future
