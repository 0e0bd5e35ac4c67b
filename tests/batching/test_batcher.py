"""The batcher: which requests share a run, and that the outcome of a request does not depend on the others."""

import asyncio
import contextlib
import gc
import time
import weakref
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from service.errors import (
    DeadlineExceededError,
    InferenceFailedError,
    OverloadedError,
    UnavailableError,
)
from service.inference.inference_threads import Parts
from tests.batching.doubler import IN_LOOP, IN_THREAD, Doubler, Gated, Runs, ask, in_a_run, make, pixels


@pytest.fixture(params=[IN_LOOP, IN_THREAD], ids=["in the loop", "in the thread"])
def budget(request: pytest.FixtureRequest) -> float:
    value: float = request.param
    return value


async def test_cancelling_one_caller_neither_hangs_nor_fails_the_others() -> None:
    runner = Gated()
    batcher = make(runner, loop_budget_s=IN_THREAD)
    first = await in_a_run(batcher, runner)
    callers = [asyncio.create_task(ask(batcher, value)) for value in (2, 3, 4)]
    await asyncio.sleep(0)
    callers[1].cancel()
    first.cancel()  # this request is already in a run
    runner.gate.release(2)
    assert await callers[0] == [[2, 4]]
    assert await callers[2] == [[4, 8]]
    for cancelled in (first, callers[1]):
        with pytest.raises(asyncio.CancelledError):
            await cancelled
    assert runner.sizes == [1, 2]
    assert batcher.outstanding == 0
    await batcher.close()


async def test_all_waiting_requests_share_a_run_and_get_their_own_rows(budget: float) -> None:
    runner = Doubler()
    batcher = make(runner, loop_budget_s=budget, max_batch_size=8)
    answers = await asyncio.gather(*(ask(batcher, value) for value in range(8)))
    assert answers == [[[value, 2 * value]] for value in range(8)]
    assert max(runner.sizes) > 1
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


async def test_rows_that_are_not_finite_fail_their_own_requests_and_no_others(budget: float) -> None:
    runner, runs = Doubler(), Runs()
    batcher = make(runner, loop_budget_s=budget, max_batch_size=8, observer=runs)
    answers = await asyncio.gather(
        ask(batcher, 1), ask(batcher, 2, 254), ask(batcher, 254), ask(batcher, 3, 4), return_exceptions=True
    )
    assert runner.sizes == [6], "they shared a run"
    assert answers[0] == [[1, 2]]
    assert answers[3] == [[3, 6], [4, 8]]
    for failed in answers[1:3]:
        assert isinstance(failed, InferenceFailedError)
        assert "not finite" in str(failed)
    assert runs.bad_rows == 2
    assert runs.failed == [False]
    await batcher.close()


async def test_an_oversized_request_with_one_row_that_is_not_finite_fails_as_a_whole(budget: float) -> None:
    runs = Runs()
    batcher = make(Doubler(), loop_budget_s=budget, observer=runs)
    with pytest.raises(InferenceFailedError, match="not finite"):
        await ask(batcher, 1, 2, 3, 4, 254, 6, 7, 8, 9)
    assert await ask(batcher, 9) == [[9, 18]]
    assert runs.bad_rows == 1
    await batcher.close()


async def test_large_finite_values_are_answered(budget: float) -> None:
    class Large(Doubler):
        def run(self, parts: Parts) -> NDArray[np.float32]:
            return super().run(parts) * np.float32(1e30)  # their squares are too large for float32

    runs = Runs()
    batcher = make(Large(), loop_budget_s=budget, observer=runs)
    assert await ask(batcher, 1) == [[pytest.approx(1e30), pytest.approx(2e30)]]
    assert runs.bad_rows == 0
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
    first = await in_a_run(batcher, runner)
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


@pytest.fixture
def no_garbage_collection() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_garbage_collection")
async def test_the_images_of_a_failed_request_are_freed_at_once(budget: float) -> None:
    batcher = make(Doubler(), loop_budget_s=budget)
    images = pixels(1, 2, 3)
    is_held = weakref.ref(images)
    with pytest.raises(DeadlineExceededError):
        await batcher.submit(images, 3, deadline=time.perf_counter())
    del images
    assert is_held() is None
    await batcher.close()


@pytest.mark.usefixtures("no_garbage_collection")
@pytest.mark.parametrize("last", [3, 254, 255], ids=["answered", "not finite", "failed"])
async def test_the_images_of_a_run_are_freed_at_once(budget: float, last: int) -> None:
    batcher = make(Doubler(), loop_budget_s=budget)
    images = pixels(1, 2, last)
    is_held = weakref.ref(images)
    with contextlib.suppress(InferenceFailedError):
        await batcher.submit(images, 3, deadline=time.perf_counter() + 10)
    del images
    await ask(batcher, 1)  # so that the thread has ended the run before
    assert is_held() is None
    await batcher.close()


async def test_closing_answers_what_was_admitted_and_admits_nothing_more(budget: float) -> None:
    batcher = make(Doubler(), loop_budget_s=budget, max_batch_size=1)
    callers = [asyncio.create_task(ask(batcher, value)) for value in range(20)]
    await asyncio.sleep(0)
    await batcher.close()
    assert [await caller for caller in callers] == [[[value, 2 * value]] for value in range(20)]
    with pytest.raises(UnavailableError):
        batcher.admit(1)
