"""Dynamic batching: all waiting requests form the next batch, up to the largest useful size.

::

    admit(n) ──full──> OverloadedError                              ┌─ in the event loop, where the run is short
       │                                                            │
    submit ──> queue ──> drop cancelled, expired ──> form a batch ──┤
       ^                   ^                                        │
       │                   └── one iteration of the loop after      └─ in an inference thread otherwise
       │                       a request or after a run                          │
    rows, or an error <──────────────────────────────────────────────────────────┘

By default no batch waits for further requests: an idle server adds no delay, and under load the requests that arrive
while one batch runs form the next one. (``max_queue_delay_s`` makes batches wait.)

A short run is made in the event loop itself, since handing it to a thread would take longer than it saves. The batch is
formed one iteration of the loop after its first request, so it includes the requests that the loop reads in that
iteration: with 16 clients a run has 16 images instead of 6. Where even the largest run is short, images are decoded
only then, one after the other: expired requests are not decoded, and the processor's caches are used better. Where runs
are long, images are decoded while a thread runs the batch before.

No model blocks the event loop for more than 50 ms: :mod:`service.batching.run_times` decides which runs are made there,
a run that takes longer than expected is ended early and repeated in the thread, and :mod:`service.batching.entry_queue`
limits the decoding time of one iteration. A short run waits until its last picture is decoded.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from service.batching.batch import Batch
from service.batching.deadline_timer import DeadlineTimer
from service.batching.entry_queue import EntryQueue
from service.batching.queue_entry import QueueEntry
from service.batching.run_times import RunTimes
from service.batching.runner import Observer, Runner
from service.batching.running_batches import RunningBatches
from service.errors import OverloadedError, UnavailableError


def _never() -> bool:
    return False


class Batcher:
    """Collects the images of concurrent requests into batches for one model.

    Every method except the constructor must be called in the event loop ``loop``.

    Args:
        runner: computes the rows of a batch.
        name: of the model, for messages.
        max_batch_size: most images in one run.
        max_queue_delay_s: how long a batch that is not full may wait for further requests.
        queue_capacity: most images that may be admitted and not yet answered.
        seconds_per_image: of a run of the largest batch, as measured when the model was loaded.
        loop_budget_s: longest run that is made in the event loop; 0 allows none.
        batches_in_flight: runs that the runner may make in threads at once; two overlap copying and computing on a GPU.
        observer: counts runs, and requests that were not answered.
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
        self._run_times = RunTimes(
            max_batch_size=max_batch_size, seconds_per_image=seconds_per_image, loop_budget_s=loop_budget_s
        )
        self._batches_in_flight = batches_in_flight
        self._observer = observer
        self._loop = loop
        self._queue = EntryQueue(observer)
        self._outstanding = 0
        self._running = RunningBatches()
        self._is_batch_scheduled = False
        self._window: asyncio.Handle | None = None
        self._was_shared = False
        self._deadlines = DeadlineTimer(self._expire, loop)
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
        """Counts the images of a request, before anything is spent on it. Each call needs one of :meth:`release`.

        Raises:
            OverloadedError: the queue has no room for them; says when it should have.
            UnavailableError: the batcher is closing.
        """
        if self._closed:
            raise UnavailableError(f"model {self._name} is shutting down")
        if self._outstanding + images > self._queue_capacity:
            self._observer.rejected()
            busy_s = self._outstanding * self._run_times.seconds_per_image
            raise OverloadedError(
                f"the queue of model {self._name} is full ({self._outstanding} of {self._queue_capacity} images)",
                busy_s,
            )
        self._outstanding += images
        self._idle.clear()

    def release(self, images: int) -> None:
        """Takes the images of a request out of the count, whether it was answered or not."""
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
        """Waits for the rows of the images of one request. If the caller is cancelled, they leave the queue.

        Args:
            images: uint8 [n, H, W, C], admitted before, or a function that decodes them in the event loop.
            count: n.
            deadline: on the clock of ``time.perf_counter``, in seconds.
            is_abandoned: whether the client has disconnected.
            is_alone: whether no other request is in flight that could share the batch.
            origin: identifies the request to the observer; the batcher does not use it.

        Returns:
            The entry, with its rows and timings.

        Raises:
            DeadlineExceededError: the rows were not ready at ``deadline``.
            InferenceFailedError: the run failed, or gave values that are not finite for these images.
            ClientGoneError: the client has disconnected.
            Exception: any error that decoding the images raises.
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
        runs_now = is_alone and self._may_run_now(count)
        self._queue.append(entry)
        if runs_now:
            self._form_batch()
        elif (
            not (entry.is_prepared or self._run_times.are_all_short)
            and self._queue.prepare_later(entry)  # is the first to be prepared
        ):
            self._loop.call_soon(self._prepare_some)
        if not entry.future.done():
            self._deadlines.watch(deadline)
            if not self._is_batch_scheduled and len(self._running) < self._batches_in_flight:
                self._schedule_batch()
            elif self._window is not None and self._queue.waiting >= self._max_batch_size:
                self._window.cancel()  # the batch is full
                self._schedule_batch()
        try:
            await entry.future
        except BaseException:
            # The error holds this frame and the entry holds the error: without this they would be a reference cycle,
            # and the images would stay in memory until the next garbage collection.
            entry = images = None  # type: ignore[assignment]  # mypyc has no `del` here
            raise
        return entry

    async def close(self) -> None:
        """Admits nothing more, and returns when everything admitted has been answered."""
        self._closed = True
        await self._idle.wait()
        self._deadlines.cancel()
        await self._running.stop()  # the requests in these runs have expired or were cancelled

    def _may_run_now(self, count: int) -> bool:
        """Whether to run a single request at once, without waiting for others in the next iteration of the loop."""
        return not (
            self._was_shared
            or self._is_batch_scheduled
            or self._queue
            or self._running
            or self._max_queue_delay_s
            or count > self._max_batch_size
            or not self._run_times.is_short(count)
        )

    def _prepare_some(self) -> None:
        if self._queue.prepare_some():
            self._loop.call_soon(self._prepare_some)

    def _schedule_batch(self) -> None:
        self._is_batch_scheduled = True
        self._window = None
        if self._max_queue_delay_s > 0 and self._queue.waiting < self._max_batch_size:
            waited_s = time.perf_counter() - self._queue.oldest.enqueued_at
            self._window = self._loop.call_later(max(0.0, self._max_queue_delay_s - waited_s), self._form_batch)
        else:
            # One iteration later, after the loop has read further requests and written answers.
            self._loop.call_soon(self._loop.call_soon, self._form_batch)

    def _form_batch(self) -> None:
        self._window = None
        if self._run_times.are_all_short and not self._queue.prepare_next(self._max_batch_size):
            self._is_batch_scheduled = True
            self._loop.call_soon(self._form_batch)  # a smaller run now would cost more for each image
            return
        self._is_batch_scheduled = False
        parts = self._queue.take(self._max_batch_size, time.perf_counter())
        if not parts:
            if self._queue:  # none of the images that were decoded could be used
                self._schedule_batch()
            return
        batch = Batch(parts)
        self._running.add(batch)
        if self._run_times.is_short(batch.size):
            self._run_in_loop(batch)
        else:
            self._run_in_thread(batch)

    def _run_in_loop(self, batch: Batch) -> None:
        started = time.perf_counter()
        outcome: NDArray[np.float32] | Exception
        try:
            outcome = self._runner.run_briefly(batch.images())
        except TimeoutError:
            self._run_times.add(batch.size, time.perf_counter() - started, is_in_loop=True)
            self._run_in_thread(batch)
            return
        except Exception as error:  # noqa: BLE001  any error of a runtime is the answer to this batch's requests
            outcome = error
        self._finish(batch, outcome, time.perf_counter() - started, is_in_loop=True)

    def _run_in_thread(self, batch: Batch) -> None:
        def done(outcome: NDArray[np.float32] | Exception, inference_s: float) -> None:
            with contextlib.suppress(RuntimeError):  # the event loop was closed during the run
                self._loop.call_soon_threadsafe(self._finish, batch, outcome, inference_s)

        batch.stop_run = self._runner.start(batch.images(), done)
        if len(self._running) < self._batches_in_flight and self._queue.waiting >= self._max_batch_size:
            self._schedule_batch()

    def _finish(
        self, batch: Batch, outcome: NDArray[np.float32] | Exception, inference_s: float, *, is_in_loop: bool = False
    ) -> None:
        self._running.remove(batch)
        self._was_shared = len(batch.parts) > 1
        self._run_times.add(batch.size, inference_s, is_in_loop=is_in_loop)
        rows, bad_rows = batch.answer(outcome, inference_s, self._name)
        if self._queue and not self._is_batch_scheduled:
            self._schedule_batch()
        # Last, so that an error in an observer keeps no request waiting.
        if bad_rows:
            self._observer.not_finite(bad_rows)
        if not isinstance(outcome, TimeoutError):
            self._observer.ran(batch, inference_s, rows)

    def _expire(self, now: float) -> float | None:
        """Answers expired entries and ends runs that no entry waits for; returns the next deadline."""
        self._queue.drop_over(now)
        self._running.expire(now)
        waiting = (*self._queue.entries, *self._running.entries())
        return min((entry.deadline for entry in waiting if entry.deadline > now), default=None)
