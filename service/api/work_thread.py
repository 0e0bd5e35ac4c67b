"""A thread for work that would block the event loop for too long.

One reads long bodies and writes long answers. There is only one, because this work holds Python's global lock: a second
thread would gain nothing, and the event loop would wait twice as long for the lock. The work is done in short steps,
between which the event loop runs. Another one looks into networks.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from service.errors import ClientGoneError, DeadlineExceededError
from service.pool_threads import run_in_pool

Result = TypeVar("Result")


class WorkThread:
    """Runs pieces of work one after the other, outside the event loop.

    Args:
        name: of the thread, as debuggers show it.
        purpose: why requests wait for it, for their errors.
    """

    def __init__(self, name: str, purpose: str) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._purpose = purpose

    async def run(self, work: Callable[[], Result], *, deadline: float, is_abandoned: Callable[[], bool]) -> Result:
        """Runs one piece of work when its turn comes.

        Args:
            work: no single step of it may hold Python's global lock for more than some 10 ms.
            deadline: on the clock of ``time.perf_counter``, in seconds; after it, waiting work is dropped. Work in
                progress is finished before other work begins.
            is_abandoned: tells whether the client has disconnected; then waiting work is dropped.

        Returns:
            What the work returns.

        Raises:
            DeadlineExceededError: the deadline passed before the work was done.
            ClientGoneError: the client has disconnected.
            OverloadedError: the thread cannot be started.
        """

        def run() -> Result:
            if is_abandoned():
                raise ClientGoneError
            return work()

        try:
            async with asyncio.timeout(deadline - time.perf_counter()):
                return await run_in_pool(run, self._executor)
        except TimeoutError:
            raise DeadlineExceededError(f"the time limit passed while the request waited {self._purpose}") from None
