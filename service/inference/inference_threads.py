"""Threads that run a session's batches: one for each batch that may be in flight.

::

    start(parts, done) ──> queue ──> the first free thread: run ──> done(rows or error, seconds), in that thread

Each thread makes its own :class:`BatchRun` and is the only one that uses it. On a GPU this is necessary: ONNX Runtime
stores a captured CUDA graph for the thread that captured it.
"""

import threading
import time
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Parts = Sequence[NDArray[np.uint8]]
Outcome = NDArray[np.float32] | Exception
Done = Callable[[Outcome, float], None]


class BatchRun(Protocol):
    """Runs one batch after the other."""

    def run(self, parts: Parts) -> NDArray[np.float32]:
        """Computes one batch.

        Args:
            parts: uint8 arrays [n, H, W, C], which together are the batch of N images.

        Returns:
            float32 [N, K], or [N, K + 1] with familiarity.

        Raises:
            TimeoutError: :meth:`interrupt` was called.
        """
        ...

    def interrupt(self) -> None:
        """Ends this run and all later ones early, where the device can do that. Called from another thread."""
        ...

    def reset(self) -> None:
        """Ends the effect of :meth:`interrupt`."""
        ...


class InferenceThreads:
    """Runs batches in the order in which they were started. The threads end when this object is freed.

    Args:
        make_run: called once in each thread, before it runs anything.
        count: of threads.
        name: of the threads, as debuggers show it.

    Raises:
        Exception: the first error that ``make_run`` raised.
    """

    def __init__(self, make_run: Callable[[], BatchRun], *, count: int, name: str) -> None:
        self.count = count
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        weakref.finalize(self, _end, self._jobs, count)
        ready: list[Future[None]] = [Future() for _ in range(count)]
        for index, future in enumerate(ready):
            # The thread must not refer to this object; otherwise this object would never be freed.
            arguments = (make_run, future, self._jobs)
            threading.Thread(target=_work, args=arguments, name=f"{name}-{index}", daemon=True).start()
            future.result()

    def start(self, parts: Parts, done: Done) -> Callable[[], None]:
        """Queues one batch and returns at once.

        Args:
            parts: uint8 arrays [n, H, W, C], which together are the batch; must not be changed before ``done``.
            done: called in the thread with the rows or the error of :meth:`BatchRun.run`, and the seconds that it took.

        Returns:
            A function that stops the run when its batch is not needed any more; ``done`` then gets a TimeoutError.
        """
        job = _Job(parts, done)
        self._jobs.put(job)
        return job.stop

    def run(self, parts: Parts) -> NDArray[np.float32]:
        """Computes one batch in a free thread, and waits for it.

        Raises:
            Exception: any error of the run.
        """
        future: Future[NDArray[np.float32]] = Future()

        def done(outcome: Outcome, _seconds: float) -> None:
            if isinstance(outcome, Exception):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)

        self.start(parts, done)
        return future.result()


class _Job:
    """One batch that is queued or run."""

    def __init__(self, parts: Parts, done: Done) -> None:
        self._parts = parts
        self._done = done
        self._lock = threading.Lock()
        self._run: BatchRun | None = None
        self._is_stopped = False

    def stop(self) -> None:
        with self._lock:
            self._is_stopped = True
            if self._run is not None:
                self._run.interrupt()

    def do(self, run: BatchRun) -> None:
        with self._lock:
            run.reset()
            self._run = run
            is_stopped = self._is_stopped
        started = time.perf_counter()
        outcome: Outcome
        try:
            outcome = TimeoutError("stopped before it began") if is_stopped else run.run(self._parts)
        except Exception as error:  # noqa: BLE001  the caller handles failed runs
            outcome = error
        seconds = time.perf_counter() - started
        with self._lock:
            self._run = None  # after this, stop() cannot interrupt the run of the next batch
        self._done(outcome, seconds)


def _work(make_run: Callable[[], BatchRun], ready: "Future[None]", jobs: "SimpleQueue[_Job | None]") -> None:
    try:
        run = make_run()
    except Exception as error:  # noqa: BLE001  raised in the thread that waits for this one
        ready.set_exception(error)
        return
    ready.set_result(None)
    while (job := jobs.get()) is not None:
        job.do(run)
        del job  # otherwise its images would stay in memory until the next batch


def _end(jobs: "SimpleQueue[_Job | None]", count: int) -> None:
    for _ in range(count):
        jobs.put(None)
