"""A runner with known answers, and functions that call its batcher."""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine

import numpy as np
from numpy.typing import NDArray

from service.batching import Batcher
from service.batching.batch import Batch
from service.inference.inference_threads import BatchRun, Done, InferenceThreads, Parts

IN_LOOP, IN_THREAD = 1.0, 0.0


class Doubler:
    """Answers each 1x1 image v with the row [v, 2 v]. 255 makes the run fail; the row of 254 is not a number."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.is_in_loop: list[bool] = []

    def interrupt(self) -> None: ...

    def reset(self) -> None: ...

    def run(self, parts: Parts) -> NDArray[np.float32]:
        images = np.concatenate(parts)
        self.sizes.append(len(images))
        self.is_in_loop.append(threading.current_thread() is threading.main_thread())
        values = images.reshape(-1).astype(np.float32)
        values[values == 254] = np.nan
        if (values == 255).any():
            raise RuntimeError("255 is poison")
        return np.stack([values, 2 * values], axis=1)


class Gated(Doubler):
    """Each run waits until the test opens the gate for it."""

    def __init__(self) -> None:
        super().__init__()
        self.entered = threading.Semaphore(0)
        self.gate = threading.Semaphore(0)

    def run(self, parts: Parts) -> NDArray[np.float32]:
        self.entered.release()
        assert self.gate.acquire(timeout=10)
        return super().run(parts)


class Interruptible(Gated):
    """A :class:`Gated` runner whose runs can be ended early."""

    def __init__(self) -> None:
        super().__init__()
        self.interruptions = 0

    def run(self, parts: Parts) -> NDArray[np.float32]:
        before = self.interruptions
        self.entered.release()
        assert self.gate.acquire(timeout=10)
        if self.interruptions > before:
            raise TimeoutError
        return Doubler.run(self, parts)

    def interrupt(self) -> None:
        self.interruptions += 1
        self.gate.release()


class Threaded:
    """An engine for the batcher: it runs in the calling thread, or in another thread."""

    def __init__(self, run: BatchRun, threads: int = 1) -> None:
        self.run_briefly = run.run
        self._threads = InferenceThreads(lambda: run, count=threads, name="test")

    def start(self, parts: Parts, done: Done) -> Callable[[], None]:
        return self._threads.start(parts, done)


class Runs:
    def __init__(self) -> None:
        self.failed: list[bool] = []
        self.bad_rows = 0
        self.refused = 0
        self.gone = 0

    def ran(self, batch: Batch, inference_s: float, rows: NDArray[np.float32] | None) -> None:
        assert batch.size > 0
        assert inference_s >= 0
        assert rows is None or (len(rows) <= batch.size and np.isfinite(rows).all())
        self.failed.append(rows is None)

    def not_finite(self, images: int) -> None:
        self.bad_rows += images

    def rejected(self) -> None:
        self.refused += 1

    def cancelled(self) -> None:
        self.gone += 1


def make(runner: Doubler, *, loop_budget_s: float = IN_LOOP, **overrides: object) -> Batcher:
    settings: dict[str, object] = {
        "name": "doubler",
        "max_batch_size": 4,
        "max_queue_delay_s": 0.0,
        "queue_capacity": 100,
        "seconds_per_image": 1e-6,
        "loop_budget_s": loop_budget_s,
        "batches_in_flight": 1,
        "observer": Runs(),
        "loop": asyncio.get_running_loop(),
    }
    settings |= overrides
    return Batcher(Threaded(runner, settings["batches_in_flight"]), **settings)  # type: ignore[arg-type]


def pixels(*values: int) -> NDArray[np.uint8]:
    return np.array(values, np.uint8).reshape(-1, 1, 1, 1)


async def ask(
    batcher: Batcher,
    *values: int,
    timeout_s: float = 10,
    is_abandoned: Callable[[], bool] = lambda: False,
    is_alone: bool = False,
) -> list[list[float]]:
    """Calls the batcher as the classifier does."""
    batcher.admit(len(values))
    try:
        entry = await batcher.submit(
            pixels(*values),
            len(values),
            deadline=time.perf_counter() + timeout_s,
            is_abandoned=is_abandoned,
            is_alone=is_alone,
        )
        rows: list[list[float]] = entry.rows.tolist()
        return rows
    finally:
        batcher.release(len(values))


async def in_a_run(batcher: Batcher, runner: Gated, timeout_s: float = 10) -> asyncio.Task[list[list[float]]]:
    """Calls with image 1; its run has begun and waits at the gate."""
    caller = asyncio.create_task(ask(batcher, 1, timeout_s=timeout_s))
    await asyncio.to_thread(runner.entered.acquire)
    return caller


def first_step(request: Coroutine[object, None, list[list[float]]]) -> list[list[float]] | None:
    """The answer of a request that is answered without waiting for the event loop; None if it waits."""
    try:
        request.send(None)
    except StopIteration as done:
        answer: list[list[float]] = done.value
        return answer
    return None
