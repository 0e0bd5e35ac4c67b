"""Reads a call's message, within the time limit and the limit of bytes that all requests share.

::

    call ─ key checked ─> read ─┬─ here within 20 ms ──> its bytes are counted ─> parsed
                                └─ not yet ─┬─ room for a message of the greatest length: this length is counted
                                            └─ no room ─┬─ memory has not grown: reading goes on
                                                        └─ memory has grown: the call is refused

gRPC does not tell a message's length, or how much of it has arrived, before the message is complete. A small message
arrives at once. A large or slow one is counted with the greatest length allowed until it has arrived. When many are
slow at once, there is no room to count each like this; then the growth of the process's memory is the limit.
"""

import asyncio
from collections import deque
from typing import Any, Final, Self

import grpc

from service.errors import MalformedRequestError, OverloadedError, SlowBodyError
from service.http.body_budget import BodyBudget
from service.http.process_memory import ProcessMemory

_LOOK_EVERY_S: Final = 0.02
_MOST_WAIT_S: Final = 1.0
SMALL_BYTES: Final = 65_536
"""Messages and answers up to this length are not counted; the limit of calls limits their sum."""


class HeldBytes:
    """The counted bytes of one call. At the end of its context they are given back.

    Args:
        budget: limits the bytes that all requests hold.
        memory: of the process.

    Attributes:
        count: number of counted bytes.
    """

    def __init__(self, budget: BodyBudget, memory: ProcessMemory) -> None:
        self._budget = budget
        self._memory = memory
        self.count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.set(0)

    def set(self, count: int) -> None:
        """Sets the number of counted bytes.

        Raises:
            OverloadedError: there is no room for them; then no bytes are counted.
        """
        before, self.count = self.count, 0
        self._budget.give_back(before)
        self._budget.take(count)
        self.count = count
        if before and self._budget.held == 0:
            self._memory.give_back()


class MessageReader:
    """Reads the messages of all calls.

    Args:
        budget: limits the bytes that all requests hold.
        memory: of the process.
        longest: most bytes of one message.
        most_grown_bytes: most growth of memory since the start when the budget has no room.
        timeout_s: how long a message may take to arrive.
    """

    def __init__(
        self, budget: BodyBudget, memory: ProcessMemory, *, longest: int, most_grown_bytes: int, timeout_s: float
    ) -> None:
        self._budget = budget
        self._memory = memory
        self._longest = longest
        self._most_grown_bytes = most_grown_bytes
        self._timeout_s = timeout_s
        self._most_at_once = max(1, most_grown_bytes // longest)
        self._reading: set[asyncio.Task[bytes | None]] = set()
        self._waiting: deque[asyncio.Future[None]] = deque()

    def hold(self) -> HeldBytes:
        """Makes the counter for one call."""
        return HeldBytes(self._budget, self._memory)

    async def read(self, context: "grpc.aio.ServicerContext[Any, Any]", held: HeldBytes) -> bytes:
        """Reads the call's one message.

        Args:
            context: of the call. The iterator over its messages is not used, since it would keep the last one.
            held: counter of the call; set to the bytes of the message, serialised and parsed; 0 if it is small.

        Raises:
            OverloadedError: there is no room for it.
            SlowBodyError: it has not arrived in time.
            MalformedRequestError: the call ended without one.
        """
        if len(self._reading) >= self._most_at_once:
            await self._wait_for_turn()
        # Never cancelled, since gRPC would not free a message that arrives after that. It ends with the call.
        reading = asyncio.create_task(_read(context))
        self._reading.add(reading)
        reading.add_done_callback(self._done)
        await self._wait(reading, held)
        message = reading.result()
        if message is None:
            raise MalformedRequestError("the call ended without a message")
        held.set(2 * len(message) if len(message) > SMALL_BYTES else 0)
        return message

    def _done(self, reading: "asyncio.Task[bytes | None]") -> None:
        self._reading.discard(reading)
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                break

    async def _wait_for_turn(self) -> None:
        """Waits before reading until another message is complete, or all messages in flight seem to be small."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        give_up_at = loop.time() + _MOST_WAIT_S

        def look() -> None:
            if waiter.done():
                return
            if self._memory.grown_bytes() < self._most_grown_bytes // 2:
                waiter.set_result(None)
            elif loop.time() > give_up_at:
                waiter.set_exception(
                    OverloadedError("messages in flight take the memory allowed for all", _MOST_WAIT_S)
                )
            else:
                timers[0] = loop.call_later(_LOOK_EVERY_S, look)

        self._waiting.append(waiter)
        timers = [loop.call_later(_LOOK_EVERY_S, look)]
        try:
            await waiter
        finally:
            timers[0].cancel()

    async def _wait(self, reading: "asyncio.Task[bytes | None]", held: HeldBytes) -> None:
        loop = asyncio.get_running_loop()
        whole: asyncio.Future[None] = loop.create_future()
        deadline = loop.time() + self._timeout_s

        def arrived(_: object) -> None:
            if not whole.done():
                whole.set_result(None)

        def look() -> None:
            if whole.done():
                return
            if loop.time() >= deadline:
                whole.set_exception(SlowBodyError(f"the message did not arrive within {self._timeout_s:g} s"))
                return
            again_at = deadline
            try:
                held.set(self._longest)
            except OverloadedError as error:
                if self._memory.grown_bytes() > self._most_grown_bytes:
                    whole.set_exception(error)
                    return
                again_at = min(deadline, loop.time() + _LOOK_EVERY_S)
            timers[0] = loop.call_at(again_at, look)

        reading.add_done_callback(arrived)
        timers = [loop.call_later(min(_LOOK_EVERY_S, self._timeout_s), look)]
        try:
            await whole
        finally:
            timers[0].cancel()


async def _read(context: "grpc.aio.ServicerContext[Any, Any]") -> bytes | None:
    try:
        message: Any = await context.read()
    except Exception:  # noqa: BLE001  gRPC has many exception classes for a call that has ended
        return None
    return None if message is grpc.aio.EOF else message
