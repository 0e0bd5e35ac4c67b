"""The entries that wait for a batch, oldest first, and who among them is not worth a run any more."""

import time
from collections import deque
from collections.abc import Iterable
from typing import Final

from service.batching.batch import Part
from service.batching.queue_entry import QueueEntry
from service.batching.runner import Observer
from service.errors import ClientGoneError, DeadlineExceededError

_PREPARE_BUDGET_S: Final = 4e-3  # how long preparing a batch's images may hold the event loop


class EntryQueue:
    """First come, first served. Belongs to the event loop.

    Args:
        observer: told of who left before their turn.

    Attributes:
        waiting: images that no batch has taken yet.
    """

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._entries: deque[QueueEntry] = deque()
        self.waiting = 0

    def __bool__(self) -> bool:
        """Whether anyone waits."""
        return bool(self._entries)

    @property
    def entries(self) -> Iterable[QueueEntry]:
        """Who waits, oldest first."""
        return self._entries

    @property
    def oldest(self) -> QueueEntry:
        """Whose turn is next; only where there is one."""
        return self._entries[0]

    def append(self, entry: QueueEntry) -> None:
        """Lets an entry wait."""
        self._entries.append(entry)
        self.waiting += entry.count

    def take(self, room: int, now: float) -> list[Part]:
        """Takes out what goes into the next run, its images prepared; ends the wait of the lost on the way.

        Args:
            room: most images.
            now: on the clock of ``time.perf_counter``, in seconds.

        Returns:
            Images in the order of the queue; fewer than there is room for where preparing them takes long.
        """
        parts: list[Part] = []
        while self._entries and room:
            entry = self._entries[0]
            if self._is_lost(entry, now):
                self._entries.popleft()
                self.waiting -= entry.count - entry.taken
                continue
            if parts and time.perf_counter() - now > _PREPARE_BUDGET_S:
                break
            try:
                entry.prepare()
            except Exception as error:  # noqa: BLE001  it belongs to this entry's caller
                entry.fail(error)
                continue
            if entry.taken == 0:
                entry.queue_s = now - entry.enqueued_at
            start, stop = entry.taken, min(entry.count, entry.taken + room)
            parts.append(Part(entry, start, stop))
            entry.taken = stop
            room -= stop - start
            self.waiting -= stop - start
            if stop == entry.count:
                self._entries.popleft()
        return parts

    def drop_lost(self, now: float) -> None:
        """Takes out whom nobody waits for: while a run hangs nothing else would, and others are admitted for them."""
        self._entries = deque(entry for entry in self._entries if not self._is_lost(entry, now))
        self.waiting = sum(entry.count - entry.taken for entry in self._entries)

    def _is_lost(self, entry: QueueEntry, now: float) -> bool:
        """Whether nobody waits for an entry any more; ends its wait where that is not yet known."""
        if entry.future.done():
            if entry.future.cancelled():
                self._observer.cancelled()
            return True
        if entry.deadline <= now:
            entry.fail(DeadlineExceededError("the time limit passed before the request's turn came"))
            return True
        if entry.is_abandoned():
            self._observer.cancelled()
            entry.fail(ClientGoneError("the client has gone"))
            return True
        return False
