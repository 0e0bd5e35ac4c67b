"""Limits the memory of decoding; it is counted before it is allocated."""

import asyncio
from typing import Protocol

from service.errors import OverloadedError


class MemoryBudget(Protocol):
    """Bytes that all requests may hold at once."""

    def take(self, count: int) -> None:
        """Adds to the bytes that are held.

        Raises:
            OverloadedError: there is no room for them.
        """

    def give_back(self, count: int) -> None:
        """Counts bytes out."""


class DecodeMemory:
    """Lets requests decode pictures while the budget has room for the pixels; the next one waits until another ends.

    One request may always decode, so that decoding is slow but does not stop where request bodies fill the budget, or
    where it is smaller than a picture. So at most the budget and one picture are held. Belongs to the event loop.

    Args:
        budget: shared with request bodies.
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
            The count to call :meth:`give_back` with.
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
