"""Dynamic batching: whoever waits when the session becomes free goes, up to the largest useful batch.

::

    admit(n) ──full──> OverloadedError                                  ┌─ in the event loop, where it is short
       │                                                                │
    submit ──> queue ──> turn: drop the expired, the gone ──> batch ──> ┤
       ^                   ^                                            │
       │                   └── one lap after each run                   └─ in the inference thread otherwise
    rows, or the reason why not <───────────────────────────────────────────┘

There is no timer and no window: an idle server adds nothing, and under load the requests that arrive while one batch
runs are the next one. (``max_queue_delay_s`` adds a window for those who want one.) A short run is made in the event
loop itself, where a thread would cost more than it gains; a turn comes one lap of the loop after the request that asks
for it, so that whoever is at the door rides along: with 16 clients, 16 share a run instead of 6. Where all runs are
made in the loop, images are also prepared as late as that, one after the other: nothing is spent on a request that has
expired, and the caches stay warm.
"""

import asyncio
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from service.batching.batch import Batch
from service.batching.entry_queue import EntryQueue
from service.batching.inference_threads import InferenceThreads
from service.batching.queue_entry import QueueEntry
from service.batching.runner import Observer, Runner
from service.errors import (
    DeadlineExceededError,
    InferenceFailedError,
    OverloadedError,
    UnavailableError,
)

_SMOOTHING = 0.1
_EXPIRY_INTERVAL_S = 5e-3  # each check looks at every entry, so many short time limits must not cause many checks


def _never() -> bool:
    return False


class Batcher:
    """Gathers the images of concurrent requests into batches for one runner.

    Every method but the constructor belongs to the event loop that ``loop`` is.

    Args:
        runner: turns a batch into rows.
        name: of the model, for messages.
        max_batch_size: most images in one run.
        max_queue_delay_s: how long a batch that is not full may wait for company.
        queue_capacity: most images that may be admitted and not yet answered.
        seconds_per_image: of a run, as measured at warm-up; kept up to date from there.
        loop_budget_s: runs expected to take at most this long are made in the event loop; 0: none.
        batches_in_flight: how many batches the runner may be given at once; more than one overlaps copy and compute.
        observer: told of each finished run, and of who was not served.
        loop: the event loop.
    """

    def __init__(
        self,
        runner: Runner,
        *,
        name: str,
        max_batch_size: int,
        max_queue_delay_s: float,
        queue_capacity: int,
        seconds_per_image: float,
        loop_budget_s: float,
        batches_in_flight: int,
        observer: Observer,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._runner = runner
        self._name = name
        self._max_batch_size = max_batch_size
        self._max_queue_delay_s = max_queue_delay_s
        self._queue_capacity = queue_capacity
        self._seconds_per_image = seconds_per_image
        self._loop_budget_s = loop_budget_s
        self._batches_in_flight = batches_in_flight
        self._observer = observer
        self._loop = loop
        self._threads = InferenceThreads(runner, self._finish, loop, f"inference-{name}", batches_in_flight)
        self._queue = EntryQueue(observer)
        self._outstanding = 0
        self._running: set[Batch] = set()
        self._turn_scheduled = False
        self._window: asyncio.TimerHandle | None = None
        self._had_company = False
        self._expiry: asyncio.Handle | None = None
        self._expires_at = 0.0
        self._checked_at = 0.0
        self._closed = False
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def capacity(self) -> int:
        """Most images that may be admitted and not yet answered."""
        return self._queue_capacity

    @property
    def waiting(self) -> int:
        """Images in the queue that no batch has taken yet."""
        return self._queue.waiting

    @property
    def outstanding(self) -> int:
        """Images admitted and not yet answered."""
        return self._outstanding

    def admit(self, images: int) -> None:
        """Counts a request in, before anything is spent on it. Each call is matched by one of :meth:`release`.

        Args:
            images: how many it brings.

        Raises:
            OverloadedError: they do not fit; says when they should.
            UnavailableError: the batcher is closing.
        """
        if self._closed:
            raise UnavailableError(f"model {self._name} is shutting down")
        if self._outstanding + images > self._queue_capacity:
            self._observer.rejected()
            busy_s = self._outstanding * self._seconds_per_image
            raise OverloadedError(
                f"the queue of model {self._name} is full ({self._outstanding} of {self._queue_capacity} images)",
                busy_s,
            )
        self._outstanding += images
        self._idle.clear()

    def release(self, images: int) -> None:
        """Counts a request out, answered or not."""
        self._outstanding -= images
        if self._outstanding == 0:
            self._idle.set()

    async def submit(
        self,
        images: Callable[[], NDArray[np.uint8]] | NDArray[np.uint8],
        count: int,
        *,
        deadline: float,
        is_abandoned: Callable[[], bool] = _never,
        is_alone: bool = False,
        origin: object = None,
    ) -> QueueEntry:
        """Waits for the rows of some images. Cancelling the caller takes them out of the queue.

        Args:
            images: uint8 [n, H, W, C], admitted, or what makes them, in the event loop.
            count: n.
            deadline: on the clock of ``time.perf_counter``, in seconds.
            is_abandoned: tells whether the client has gone.
            is_alone: no other request is in sight, so that waiting for company is in vain.
            origin: by which the observer knows the request; nothing to the batcher.

        Returns:
            The entry, with its rows and timings.

        Raises:
            DeadlineExceededError: ``deadline`` passed first.
            InferenceFailedError: the runner raised on its batch.
            ClientGoneError: the client has gone.
            Exception: whatever making the images raises.
        """
        entry = QueueEntry(
            images,
            count,
            deadline=deadline,
            is_abandoned=is_abandoned,
            future=self._loop.create_future(),
            enqueued_at=time.perf_counter(),
            origin=origin,
        )
        if self._max_batch_size * self._seconds_per_image > self._loop_budget_s:
            entry.prepare()  # while the thread computes
            entry.enqueued_at += entry.prepare_s
        hurries = is_alone and self._is_quick_and_idle(count)
        self._queue.append(entry)
        if hurries:
            self._turn()
        else:
            self._expire_at(deadline)
            if not self._turn_scheduled and len(self._running) < self._batches_in_flight:
                self._schedule_turn()
            elif self._window is not None and self._queue.waiting >= self._max_batch_size:
                self._window.cancel()  # the batch is full
                self._schedule_turn()
        try:
            await entry.future
        except BaseException:
            # The error holds this frame and the entry holds the error: without this they would be a reference cycle,
            # and the images would stay in memory until the next garbage collection.
            del entry, images
            raise
        return entry

    async def close(self) -> None:
        """Admits nothing more, and returns when everything admitted has been answered."""
        self._closed = True
        await self._idle.wait()
        if self._expiry is not None:
            self._expiry.cancel()
        self._threads.stop()

    def _is_quick_and_idle(self, count: int) -> bool:
        """Whether so many images can be run here and now, and the last run had one request's images only too."""
        return not (
            self._had_company
            or self._turn_scheduled
            or self._queue
            or self._running
            or self._max_queue_delay_s
            or count > self._max_batch_size
            or count * self._seconds_per_image > self._loop_budget_s
        )

    def _schedule_turn(self) -> None:
        self._turn_scheduled = True
        self._window = None
        if self._max_queue_delay_s > 0 and self._queue.waiting < self._max_batch_size:
            waited_s = time.perf_counter() - self._queue.oldest.enqueued_at
            self._window = self._loop.call_later(max(0.0, self._max_queue_delay_s - waited_s), self._turn)
        else:
            # One lap of the loop later: the requests that it then reads, and answers that it then writes, come first.
            self._loop.call_soon(self._loop.call_soon, self._turn)

    def _turn(self) -> None:
        self._turn_scheduled = False
        self._window = None
        now = time.perf_counter()
        parts = self._queue.take(self._max_batch_size, now)
        if not parts:
            return
        batch = Batch(parts, now)
        self._running.add(batch)
        if batch.size * self._seconds_per_image <= self._loop_budget_s:
            started = time.perf_counter()
            try:
                outcome: NDArray[np.float32] | Exception = self._runner.run(batch.pack())
            except Exception as error:  # noqa: BLE001  whatever a runtime raises belongs to this batch's callers
                outcome = error
            self._finish(batch, outcome, time.perf_counter() - started)
        else:
            self._threads.put(batch)
            if len(self._running) < self._batches_in_flight and self._queue.waiting >= self._max_batch_size:
                self._schedule_turn()

    def _finish(self, batch: Batch, outcome: NDArray[np.float32] | Exception, inference_s: float) -> None:
        self._running.discard(batch)
        self._had_company = len(batch.parts) > 1
        rows: NDArray[np.float32] | None = None
        if isinstance(outcome, Exception):
            for part in batch.parts:
                error = InferenceFailedError(f"model {self._name} failed on the batch that this request was in")
                error.__cause__ = outcome
                part.entry.fail(error)
        else:
            self._seconds_per_image += _SMOOTHING * (inference_s / batch.size - self._seconds_per_image)
            batch.deliver(outcome, inference_s)
            rows = outcome
        if self._queue and not self._turn_scheduled:
            self._schedule_turn()
        self._observer.ran(batch, inference_s, rows)  # last: what goes wrong there keeps nobody waiting

    def _expire_at(self, deadline: float) -> None:
        """Makes sure that expired entries are looked for at a time, on the clock of ``time.perf_counter``."""
        expires_at = max(deadline, self._checked_at + _EXPIRY_INTERVAL_S)
        if self._expiry is not None:
            if self._expires_at <= expires_at:
                return
            self._expiry.cancel()
        # The time is kept here: with a short delay uvloop returns a handle that does not know its time.
        self._expires_at = expires_at
        self._expiry = self._loop.call_later(max(0.0, expires_at - time.perf_counter()), self._expire)

    def _expire(self) -> None:
        """Answers the entries whose deadline has passed, and looks again at the next deadline."""
        self._expiry = None
        self._checked_at = now = time.perf_counter()
        self._queue.drop_lost(now)
        riding = [part.entry for batch in self._running for part in batch.parts]
        for entry in riding:
            if entry.deadline <= now:
                entry.fail(DeadlineExceededError("the time limit passed before the answer was ready"))
        deadlines = (entry.deadline for entry in (*self._queue.entries, *riding) if entry.deadline > now)
        next_deadline = min(deadlines, default=None)
        if next_deadline is not None:
            self._expire_at(next_deadline)
