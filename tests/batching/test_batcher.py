"""The batcher: who rides together, and what each caller gets, whatever happens to the others."""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine

import numpy as np
import pytest
from numpy.typing import NDArray

from service.batching import Batcher
from service.batching.batch import Batch
from service.errors import (
    ClientGoneError,
    DeadlineExceededError,
    InferenceFailedError,
    OverloadedError,
    UnavailableError,
)

IN_LOOP, IN_THREAD = 1.0, 0.0


class Doubler:
    """Answers each 1x1 image v with the row [v, 2 v]; notes the size of every batch."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def run(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.sizes.append(len(images))
        values = images.reshape(-1).astype(np.float32)
        if (values == 255).any():
            raise RuntimeError("255 is poison")
        return np.stack([values, 2 * values], axis=1)


class Gated(Doubler):
    """Waits inside each run until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.entered = threading.Semaphore(0)
        self.gate = threading.Semaphore(0)

    def run(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.entered.release()
        assert self.gate.acquire(timeout=10)
        return super().run(images)


class Runs:
    def __init__(self) -> None:
        self.failed: list[bool] = []
        self.refused = 0
        self.gone = 0

    def ran(self, batch: Batch, inference_s: float, rows: NDArray[np.float32] | None) -> None:
        assert batch.size > 0
        assert inference_s >= 0
        assert rows is None or len(rows) == batch.size
        self.failed.append(rows is None)

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
    return Batcher(runner, **{**settings, **overrides})  # type: ignore[arg-type]


def pixels(*values: int) -> NDArray[np.uint8]:
    return np.array(values, np.uint8).reshape(-1, 1, 1, 1)


async def ask(
    batcher: Batcher,
    *values: int,
    timeout_s: float = 10,
    is_abandoned: Callable[[], bool] = lambda: False,
    is_alone: bool = False,
) -> list[list[float]]:
    """One caller, as the classifier is one."""
    batcher.admit(len(values))
    try:
        entry = await batcher.submit(
            pixels(*values),
            len(values),
            deadline=time.perf_counter() + timeout_s,
            is_abandoned=is_abandoned,
            is_alone=is_alone,
        )
        rows: list[list[float]] = entry.probabilities.tolist()
        return rows
    finally:
        batcher.release(len(values))


@pytest.fixture(params=[IN_LOOP, IN_THREAD], ids=["in the loop", "in the thread"])
def budget(request: pytest.FixtureRequest) -> float:
    value: float = request.param
    return value


async def entered(runner: Gated) -> None:
    await asyncio.to_thread(runner.entered.acquire)


async def test_cancelling_one_caller_neither_hangs_nor_fails_the_others() -> None:
    runner = Gated()
    batcher = make(runner, loop_budget_s=IN_THREAD)
    first = asyncio.create_task(ask(batcher, 1))
    await entered(runner)
    callers = [asyncio.create_task(ask(batcher, value)) for value in (2, 3, 4)]
    await asyncio.sleep(0)
    callers[1].cancel()
    first.cancel()  # one that is already inside a run
    runner.gate.release(2)
    assert await callers[0] == [[2, 4]]
    assert await callers[2] == [[4, 8]]
    for cancelled in (first, callers[1]):
        with pytest.raises(asyncio.CancelledError):
            await cancelled
    assert runner.sizes == [1, 2]
    assert batcher.outstanding == 0
    await batcher.close()


async def test_everyone_waiting_rides_together_and_gets_their_own_rows(budget: float) -> None:
    runner = Doubler()
    batcher = make(runner, loop_budget_s=budget, max_batch_size=8)
    answers = await asyncio.gather(*(ask(batcher, value) for value in range(8)))
    assert answers == [[[value, 2 * value]] for value in range(8)]
    assert max(runner.sizes) > 1
    await batcher.close()


async def test_a_lone_request_is_not_kept_waiting_for_company() -> None:
    runner = Doubler()
    batcher = make(runner)
    assert await ask(batcher, 7) == [[7, 14]]
    assert runner.sizes == [1]
    await batcher.close()


async def test_a_window_gathers_requests_that_come_apart() -> None:
    runner = Doubler()
    batcher = make(runner, max_queue_delay_s=0.2)
    first = asyncio.create_task(ask(batcher, 1))
    for _ in range(10):  # laps of the loop, in which a greedy batcher would have gone
        await asyncio.sleep(0)
    assert runner.sizes == []
    await asyncio.gather(first, ask(batcher, 2))
    assert runner.sizes == [2]
    await batcher.close()


async def test_a_full_batch_does_not_wait_for_the_window() -> None:
    runner = Doubler()
    batcher = make(runner, max_queue_delay_s=60)
    assert await ask(batcher, 1, 2, 3, 4) == [[1, 2], [2, 4], [3, 6], [4, 8]]
    await batcher.close()


async def test_a_batch_that_fills_during_its_window_goes_at_once() -> None:
    runner = Doubler()
    batcher = make(runner, max_queue_delay_s=60)
    first = asyncio.create_task(ask(batcher, 1))
    await asyncio.sleep(0)
    assert await ask(batcher, 2, 3, 4) == [[2, 4], [3, 6], [4, 8]]
    assert await first == [[1, 2]]
    assert runner.sizes == [4]
    await batcher.close()


def first_step(request: Coroutine[object, None, list[list[float]]]) -> list[list[float]] | None:
    """The answer of a request that never waits for the loop; None of one that does."""
    try:
        request.send(None)
    except StopIteration as done:
        answer: list[list[float]] = done.value
        return answer
    return None


async def test_who_is_alone_is_answered_without_a_lap_of_the_loop() -> None:
    runner = Doubler()
    batcher = make(runner)
    assert first_step(ask(batcher, 7, is_alone=True)) == [[7, 14]]
    not_alone = ask(batcher, 7)
    assert first_step(not_alone) is None
    not_alone.close()
    await batcher.close()


@pytest.mark.parametrize(
    "overrides",
    [{"loop_budget_s": IN_THREAD}, {"max_queue_delay_s": 0.01}, {"max_batch_size": 1}, {"seconds_per_image": 0.6}],
    ids=["runs take long", "a window is set", "more than a batch", "this run takes long"],
)
async def test_who_is_alone_waits_where_hurrying_would_hold_the_loop(overrides: dict[str, object]) -> None:
    batcher = make(Doubler(), **overrides)  # type: ignore[arg-type]
    assert await ask(batcher, 3, 4, is_alone=True) == [[3, 6], [4, 8]]
    request = ask(batcher, 3, 4, is_alone=True)
    assert first_step(request) is None
    request.close()
    await batcher.close()


async def test_after_company_who_is_alone_waits_a_lap_for_more() -> None:
    runner = Doubler()
    batcher = make(runner)
    await asyncio.gather(ask(batcher, 1), ask(batcher, 2))
    assert runner.sizes == [2]
    await asyncio.gather(ask(batcher, 3, is_alone=True), ask(batcher, 4))
    assert runner.sizes == [2, 2]
    assert await ask(batcher, 5, is_alone=True) == [[5, 10]]
    assert first_step(ask(batcher, 6, is_alone=True)) == [[6, 12]]
    await batcher.close()


async def test_an_oversized_request_is_split_and_put_together_again(budget: float) -> None:
    runner = Doubler()
    batcher = make(runner, loop_budget_s=budget)
    values = tuple(range(11))
    big, small = await asyncio.gather(ask(batcher, *values), ask(batcher, 99))
    assert big == [[value, 2 * value] for value in values]
    assert small == [[99, 198]]
    assert runner.sizes == [4, 4, 4]
    await batcher.close()


async def test_requests_are_served_in_the_order_that_they_came() -> None:
    runner = Gated()
    batcher = make(runner, loop_budget_s=IN_THREAD, max_batch_size=1)
    finished: list[int] = []

    async def caller(value: int) -> None:
        await ask(batcher, value)
        finished.append(value)

    tasks = [asyncio.create_task(caller(value)) for value in range(5)]
    runner.gate.release(5)
    await asyncio.gather(*tasks)
    assert finished == [0, 1, 2, 3, 4]
    await batcher.close()


async def test_a_failed_run_fails_its_own_callers_and_nobody_else(budget: float) -> None:
    runner, runs = Doubler(), Runs()
    batcher = make(runner, loop_budget_s=budget, max_batch_size=1, observer=runs)
    good, bad, after = await asyncio.gather(ask(batcher, 1), ask(batcher, 255), ask(batcher, 2), return_exceptions=True)
    assert good == [[1, 2]]
    assert after == [[2, 4]]
    assert isinstance(bad, InferenceFailedError)
    assert isinstance(bad.__cause__, RuntimeError)
    assert runs.failed == [False, True, False]
    await batcher.close()


async def test_an_observer_that_fails_keeps_nobody_waiting(budget: float) -> None:
    class Failing(Runs):
        def ran(self, *_: object) -> None:
            raise OSError("no space left on device")

    reported: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: reported.append(context["exception"]))
    batcher = make(Doubler(), loop_budget_s=budget, max_batch_size=1, observer=Failing())
    assert await asyncio.gather(ask(batcher, 1), ask(batcher, 2)) == [[[1, 2]], [[2, 4]]]
    assert [str(error) for error in reported] == ["no space left on device"] * 2
    await batcher.close()


async def test_requests_that_leave_or_find_no_room_are_told_of() -> None:
    runner, runs = Gated(), Runs()
    batcher = make(runner, loop_budget_s=IN_THREAD, queue_capacity=3, observer=runs)
    first = asyncio.create_task(ask(batcher, 1))
    await entered(runner)
    leaver = asyncio.create_task(ask(batcher, 2))
    gone = asyncio.create_task(ask(batcher, 3, is_abandoned=lambda: True))
    await asyncio.sleep(0)
    with pytest.raises(OverloadedError):
        batcher.admit(1)
    leaver.cancel()
    runner.gate.release()
    await asyncio.gather(first, leaver, gone, return_exceptions=True)
    await batcher.close()
    assert (runs.refused, runs.gone) == (1, 2)


async def test_images_that_cannot_be_made_fail_their_caller_only(budget: float) -> None:
    batcher = make(Doubler(), loop_budget_s=budget)

    def broken() -> NDArray[np.uint8]:
        raise ValueError("not a picture")

    batcher.admit(1)
    bad = asyncio.create_task(batcher.submit(broken, 1, deadline=time.perf_counter() + 10))
    good = asyncio.create_task(ask(batcher, 3))
    with pytest.raises(ValueError, match="not a picture"):
        await bad
    assert await good == [[3, 6]]
    batcher.release(1)
    await batcher.close()


async def test_a_full_queue_refuses_at_once_and_says_when_to_come_back() -> None:
    batcher = make(Doubler(), queue_capacity=3, seconds_per_image=0.5)
    batcher.admit(3)
    with pytest.raises(OverloadedError, match="3 of 3 images") as refusal:
        batcher.admit(1)
    assert refusal.value.retry_after_s == pytest.approx(1.5)
    batcher.release(3)
    batcher.admit(3)
    batcher.release(3)
    await batcher.close()


async def test_a_request_past_its_deadline_is_answered_although_the_run_hangs() -> None:
    runner = Gated()
    batcher = make(runner, loop_budget_s=IN_THREAD)
    riding = asyncio.create_task(ask(batcher, 1, timeout_s=0.05))
    await entered(runner)
    waiting = asyncio.create_task(ask(batcher, 2, timeout_s=0.1))
    patient = asyncio.create_task(ask(batcher, 3))
    for late in (riding, waiting):
        with pytest.raises(DeadlineExceededError):
            await late
    runner.gate.release(2)
    assert await patient == [[3, 6]]
    assert runner.sizes == [1, 1], "what had expired was computed"
    await batcher.close()


async def test_nothing_is_computed_for_a_client_that_has_gone() -> None:
    runner = Gated()
    batcher = make(runner, loop_budget_s=IN_THREAD)
    first = asyncio.create_task(ask(batcher, 1))
    await entered(runner)
    gone = asyncio.create_task(ask(batcher, 2, is_abandoned=lambda: True))
    stays = asyncio.create_task(ask(batcher, 3))
    runner.gate.release(2)
    await first
    assert await stays == [[3, 6]]
    with pytest.raises(ClientGoneError):
        await gone
    assert runner.sizes == [1, 1]
    await batcher.close()


async def test_closing_answers_what_was_admitted_and_admits_nothing_more(budget: float) -> None:
    batcher = make(Doubler(), loop_budget_s=budget, max_batch_size=1)
    callers = [asyncio.create_task(ask(batcher, value)) for value in range(20)]
    await asyncio.sleep(0)
    await batcher.close()
    assert [await caller for caller in callers] == [[[value, 2 * value]] for value in range(20)]
    with pytest.raises(UnavailableError):
        batcher.admit(1)


async def test_a_flood_on_one_model_does_not_starve_another() -> None:
    flooded, quiet = make(Doubler(), max_batch_size=1), make(Doubler(), max_batch_size=1)
    flood = [asyncio.create_task(ask(flooded, 1)) for _ in range(100)]
    await asyncio.sleep(0)
    assert await ask(quiet, 5) == [[5, 10]]
    assert sum(task.done() for task in flood) < 10, "the flood was served first"
    await asyncio.gather(*flood)
    await asyncio.gather(flooded.close(), quiet.close())


async def test_a_second_batch_is_given_early_only_when_it_is_full() -> None:
    runner = Gated()
    batcher = make(runner, loop_budget_s=IN_THREAD, batches_in_flight=2)
    first = asyncio.create_task(ask(batcher, 1))
    await entered(runner)
    rest = [asyncio.create_task(ask(batcher, value)) for value in range(5)]
    await asyncio.sleep(0)
    runner.gate.release(3)
    await asyncio.gather(first, *rest)
    assert sorted(runner.sizes) == [1, 1, 4]  # two runs are made at once, and either may end first
    await batcher.close()
