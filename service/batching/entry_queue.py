"""The queue of entries that wait for a batch; it drops those whose client has left or whose deadline has passed."""

import time
from collections import deque
from collections.abc import Iterable
from typing import Final

from service.batching.batch import Part
from service.batching.queue_entry import QueueEntry
from service.batching.runner import Observer
from service.errors import ClientGoneError, DeadlineExceededError

_PREPARE_BUDGET_S: Final = 4e-3
"""Longest time of decoding in one iteration of the event loop; after it, only the image in progress is finished."""


class EntryQueue:
    """First in, first out. Belongs to the event loop.

    Args:
        observer: counts requests that left before a batch took them.

    Attributes:
        waiting: images that no batch has taken yet.
    """

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._entries: deque[QueueEntry] = deque()
        self._unprepared: deque[QueueEntry] = deque()
        self.waiting = 0

    def __bool__(self) -> bool:
        """Whether there are entries."""
        return bool(self._entries)

    @property
    def entries(self) -> Iterable[QueueEntry]:
        """The entries, oldest first."""
        return self._entries

    @property
    def oldest(self) -> QueueEntry:
        """The first entry; the queue must not be empty."""
        return self._entries[0]

    def append(self, entry: QueueEntry) -> None:
        """Adds an entry at the end."""
        self._entries.append(entry)
        self.waiting += entry.count

    def prepare_later(self, entry: QueueEntry) -> bool:
        """Puts an entry on the list for :meth:`prepare_some`; returns whether the list was empty."""
        self._unprepared.append(entry)
        return len(self._unprepared) == 1

    def prepare_some(self) -> bool:
        """Decodes images of entries on the list of :meth:`prepare_later`, until the time budget is used.

        Returns:
            Whether the list still has entries.
        """
        now = time.perf_counter()
        stop_at = now + _PREPARE_BUDGET_S
        while self._unprepared and now < stop_at:
            entry = self._unprepared.popleft()
            if not (entry.is_prepared or entry.future.done() or entry.deadline <= now):
                self._prepare(entry)
                entry.enqueued_at += entry.prepare_s
                now = time.perf_counter()
        return bool(self._unprepared)

    def prepare_next(self, room: int) -> bool:
        """Decodes the images of the next run, until the time budget is used.

        Args:
            room: most images of the run.

        Returns:
            Whether all of them are decoded.
        """
        now = time.perf_counter()
        stop_at = now + _PREPARE_BUDGET_S
        for entry in self._entries:
            if room <= 0:
                break
            if not entry.is_prepared:
                if entry.future.done() or entry.deadline <= now or entry.is_abandoned():
                    continue  # :meth:`take` drops it
                if now >= stop_at:
                    return False
                is_usable = self._prepare(entry)
                now = time.perf_counter()
                if not is_usable:
                    continue
                entry.enqueued_at += entry.prepare_s  # :meth:`take` is called afterwards
            room -= entry.count - entry.taken
        return True

    def take(self, room: int, now: float) -> list[Part]:
        """Takes out the images of the next run, decoded, and drops cancelled and expired entries on the way.

        Args:
            room: most images.
            now: the present time on the clock of ``time.perf_counter``, in seconds.

        Returns:
            Images in the order of the queue: fewer than ``room`` where decoding takes long, and none where no decoded
            image could be used.
        """
        parts: list[Part] = []
        is_first = True
        while self._entries and room:
            entry = self._entries[0]
            if self._is_over(entry, now):
                self._entries.popleft()
                self.waiting -= entry.count - entry.taken
                continue
            if not entry.is_prepared:
                if not is_first and time.perf_counter() - now > _PREPARE_BUDGET_S:
                    break
                is_first = False
                if not self._prepare(entry):
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

    def drop_over(self, now: float) -> None:
        """Drops cancelled and expired entries, which would otherwise fill the queue during a long run."""
        self._entries = deque(entry for entry in self._entries if not self._is_over(entry, now))
        self.waiting = sum(entry.count - entry.taken for entry in self._entries)

    @staticmethod
    def _prepare(entry: QueueEntry) -> bool:
        """Decodes the images of an entry; where that fails, the entry gets the error."""
        try:
            entry.prepare()
        except Exception as error:  # noqa: BLE001  the error is the answer to this request
            entry.fail(error)
            return False
        return True

    def _is_over(self, entry: QueueEntry, now: float) -> bool:
        """Whether an entry is answered, expired or abandoned by its client. In the last two cases, fails the entry."""
        if entry.future.done():
            if entry.future.cancelled():
                self._observer.cancelled()
            return True
        if entry.deadline <= now:
            entry.fail(DeadlineExceededError("the time limit passed before the request was run"))
            return True
        if entry.is_abandoned():
            self._observer.cancelled()
            entry.fail(ClientGoneError("the client has disconnected"))
            return True
        return False
