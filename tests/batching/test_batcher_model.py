"""Model-based test of the batcher: arrivals, cancellations, disconnects, failures, timeouts and a drain, in any order.

The model: every caller gets exactly one outcome, and an answer holds the caller's own rows. A caller with a time limit
of 0 to 2 ms may get DeadlineExceededError, which must not affect other callers. Where runs are made in a thread, the
runner waits at a gate, so that the rules decide what happens while a batch runs. Everything is tested under asyncio's
event loop and under uvloop, whose timers differ.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest
import uvloop
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, precondition, rule
from numpy.typing import NDArray

from service.batching import Batcher
from service.errors import (
    ClientGoneError,
    DeadlineExceededError,
    InferenceFailedError,
    OverloadedError,
    UnavailableError,
)
from service.inference.inference_threads import Parts
from tests.batching.doubler import Threaded

pytestmark = pytest.mark.slow

CAPACITY = 12
MAX_BATCH_SIZE = 4
POISON = 255
values = st.lists(st.integers(0, 254) | st.just(POISON), min_size=1, max_size=7)
# uvloop rounds a delay to whole milliseconds, and a delay of 0 sets no timer.
time_limits_s = st.none() | st.sampled_from([0.0, 1e-5, 4e-4, 6e-4, 1e-3, 1.6e-3, 2e-3])


class Gated:
    """Waits at a gate, then answers image v with [v, 2 v]; the poison image makes the run fail."""

    def __init__(self, *, is_open: bool) -> None:
        self.is_open = is_open
        self.gate = threading.Semaphore(0)
        self.seen: list[list[int]] = []

    def run(self, parts: Parts) -> NDArray[np.float32]:
        assert self.is_open or self.gate.acquire(timeout=10)
        batch = np.concatenate(parts).reshape(-1)
        self.seen.append(batch.tolist())
        if (batch == POISON).any():
            raise RuntimeError("poison")
        return np.stack([batch, 2.0 * batch], axis=1).astype(np.float32)

    def interrupt(self) -> None: ...

    def reset(self) -> None: ...


class Silent:
    def ran(self, batch_size: int, inference_s: float, rows: NDArray[np.float32] | None) -> None: ...

    def not_finite(self, images: int) -> None: ...

    def rejected(self) -> None: ...

    def cancelled(self) -> None: ...


@dataclass(eq=False)
class Caller:
    """One request, and its possible outcomes."""

    values: list[int]
    task: asyncio.Task[list[list[float]]] = field(init=False)
    is_gone: bool = False
    is_cancelled: bool = False
    is_hasty: bool = False


class BatcherMachine(RuleBasedStateMachine):
    callers = Bundle("callers")
    new_event_loop: Callable[[], asyncio.AbstractEventLoop]
    loop_budget_s = 0.0

    def __init__(self) -> None:
        super().__init__()
        self.logged: list[str] = []
        self.loop = type(self).new_event_loop()
        self.loop.set_exception_handler(lambda _loop, context: self.logged.append(str(context)))
        self.runner = Gated(is_open=self.loop_budget_s > 0)
        self.everyone: list[Caller] = []
        self.closing: asyncio.Task[None] | None = None
        self.batcher = Batcher(
            Threaded(self.runner),
            name="model",
            max_batch_size=MAX_BATCH_SIZE,
            max_queue_delay_s=0.0,
            queue_capacity=CAPACITY,
            seconds_per_image=1e-3,
            loop_budget_s=self.loop_budget_s,
            batches_in_flight=1,
            observer=Silent(),
            loop=self.loop,
        )

    def iterate(self, count: int = 5) -> None:
        """Lets the event loop run its pending callbacks."""

        async def turn() -> None:
            for _ in range(count):
                await asyncio.sleep(0)

        self.loop.run_until_complete(turn())

    def begin(self, caller: Caller, timeout_s: float, *, is_alone: bool) -> None:
        pixels = np.array(caller.values, np.uint8).reshape(-1, 1, 1, 1)

        async def ask() -> list[list[float]]:
            try:
                entry = await self.batcher.submit(
                    pixels,
                    len(pixels),
                    deadline=time.perf_counter() + timeout_s,
                    is_abandoned=lambda: caller.is_gone,
                    is_alone=is_alone,
                )
                rows: list[list[float]] = entry.rows.tolist()
                return rows
            finally:
                self.batcher.release(len(pixels))

        caller.task = self.loop.create_task(ask())
        self.everyone.append(caller)

    @property
    def outstanding(self) -> int:
        return sum(len(caller.values) for caller in self.everyone if not caller.task.done())

    @rule(
        target=callers,
        images=values,
        time_limit_s=time_limits_s,
        is_alone=st.booleans(),
        iterations=st.sampled_from([0, 1, 5]),
    )
    def arrive(self, images: list[int], time_limit_s: float | None, is_alone: bool, iterations: int) -> Caller:
        caller = Caller(images, is_hasty=time_limit_s is not None)
        caller.task = self.loop.create_future()  # type: ignore[assignment]  # until it is admitted
        fits = self.outstanding + len(images) <= CAPACITY
        try:
            self.batcher.admit(len(images))
        except UnavailableError:
            assert self.closing is not None
        except OverloadedError:
            assert not fits
        else:
            assert fits
            assert self.closing is None
            self.begin(caller, 60.0 if time_limit_s is None else time_limit_s, is_alone=is_alone)
            self.iterate(iterations)
        return caller

    @rule(seconds=st.sampled_from([5e-4, 2e-3]))
    def let_time_pass(self, seconds: float) -> None:
        self.loop.run_until_complete(asyncio.sleep(seconds))

    @rule(caller=consumes(callers))
    def cancel(self, caller: Caller) -> None:
        if not caller.task.done():
            caller.is_cancelled = True
            caller.task.cancel()
            self.iterate()

    @rule(caller=consumes(callers))
    def leave(self, caller: Caller) -> None:
        caller.is_gone = True

    @rule()
    def finish_a_run(self) -> None:
        """Opens the gate for one run: the waiting one, or else the next."""
        before = len(self.runner.seen)
        if self.outstanding:
            self.runner.gate.release()
            deadline = time.monotonic() + 0.02
            while len(self.runner.seen) == before and time.monotonic() < deadline:
                self.iterate(1)
        self.iterate()

    @precondition(lambda self: self.closing is None)
    @rule()
    def drain(self) -> None:
        self.closing = self.loop.create_task(self.batcher.close())
        self.iterate()

    @invariant()
    def counts_are_right(self) -> None:
        assert self.batcher.outstanding == self.outstanding
        assert self.batcher.waiting >= 0

    def teardown(self) -> None:
        for _ in range(1000):
            self.runner.gate.release()
        closing = self.closing or self.loop.create_task(self.batcher.close())
        self.loop.run_until_complete(asyncio.wait_for(closing, 10))
        while self.batcher._running:  # a batch without callers may still be running
            self.iterate()
        poisoned = [set(batch) for batch in self.runner.seen if POISON in batch]
        for caller in self.everyone:
            self.check(caller, poisoned)
        assert all(len(batch) <= MAX_BATCH_SIZE for batch in self.runner.seen)
        assert self.batcher.outstanding == 0
        self.loop.close()
        assert self.logged == []

    def check(self, caller: Caller, poisoned: list[set[int]]) -> None:
        """Checks that the caller has exactly one outcome, which the model permits."""
        assert caller.task.done()
        with contextlib.suppress(asyncio.CancelledError):
            error = caller.task.exception()
            if error is None:
                assert caller.task.result() == [[value, 2 * value] for value in caller.values]
            elif isinstance(error, InferenceFailedError):
                assert any(batch & set(caller.values) for batch in poisoned)
            elif isinstance(error, DeadlineExceededError):
                assert caller.is_hasty
            else:
                assert isinstance(error, ClientGoneError)
                assert caller.is_gone
            return
        assert caller.is_cancelled


class UnderAsyncio(BatcherMachine):
    new_event_loop = asyncio.new_event_loop


class UnderUvloop(BatcherMachine):
    new_event_loop = uvloop.new_event_loop


class UnderUvloopWithShortRuns(UnderUvloop):
    """Runs are made in the event loop."""

    loop_budget_s = 1.0


for machine in (UnderAsyncio, UnderUvloop, UnderUvloopWithShortRuns):
    machine.TestCase.settings = settings(
        max_examples=60, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
    )
TestUnderAsyncio = UnderAsyncio.TestCase
TestUnderUvloop = UnderUvloop.TestCase
TestUnderUvloopWithShortRuns = UnderUvloopWithShortRuns.TestCase
