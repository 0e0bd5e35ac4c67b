"""The memory that decoding takes, counted before it is taken."""

import asyncio
from typing import Protocol

from service.errors import OverloadedError


class MemoryBudget(Protocol):
    """Bytes that all requests may hold at once."""

    def take(self, count: int) -> None:
        """Counts bytes in.

        Raises:
            OverloadedError: there is no room for them.
        """

    def give_back(self, count: int) -> None:
        """Counts bytes out."""


class DecodeMemory:
    """Lets pictures be decoded while there is room for their pixels; the next waits until another is done.

    One is always let in: a budget that request bodies fill, or that is smaller than a picture, slows decoding down and
    does not end it. So what is held is at most the budget and one picture. Belongs to the event loop.

    Args:
        budget: which request bodies share.
    """

    def __init__(self, budget: MemoryBudget) -> None:
        self._budget = budget
        self._holders = 0
        self._turn = asyncio.Lock()
        self._given_back = asyncio.Event()

    async def take(self, count: int) -> int:
        """Waits for room, in the order of the calls.

        Args:
            count: bytes.

        Returns:
            What :meth:`give_back` is to be called with.
        """
        async with self._turn:
            while True:
                try:
                    self._budget.take(count)
                except OverloadedError:
                    if self._holders:
                        self._given_back.clear()
                        await self._given_back.wait()
                        continue
                    count = 0
                self._holders += 1
                return count

    def give_back(self, count: int) -> None:
        """Counts bytes out."""
        self._holders -= 1
        self._budget.give_back(count)
        self._given_back.set()
