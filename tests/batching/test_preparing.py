"""Decoding in the event loop takes at most a few milliseconds per iteration, for any pictures."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.batching.doubler import IN_LOOP, IN_THREAD, Doubler, Gated, in_a_run, make, pixels

DECODE_S = 3e-3  # the budget of an iteration is 4e-3
REQUESTS = 12


@pytest.fixture
async def iteration() -> AsyncIterator[list[int]]:
    """The number of the event loop's current iteration."""
    number = [0]

    async def count() -> None:
        while True:
            number[0] += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    yield number
    counting.cancel()


def fails() -> NDArray[np.uint8]:
    raise ValueError("not a picture")


def succeeds() -> NDArray[np.uint8]:
    return pixels(7)


@pytest.mark.parametrize("budget", [IN_LOOP, IN_THREAD], ids=["short runs", "long runs"])
@pytest.mark.parametrize("decode", [fails, succeeds])
async def test_not_all_pictures_are_decoded_in_one_iteration(
    budget: float, decode: Callable[[], NDArray[np.uint8]], iteration: list[int]
) -> None:
    runner = Doubler()
    batcher = make(runner, loop_budget_s=budget, max_batch_size=REQUESTS)
    decoded: Counter[int] = Counter()

    def slow_decode() -> NDArray[np.uint8]:
        decoded[iteration[0]] += 1
        end = time.perf_counter() + DECODE_S
        while time.perf_counter() < end:
            pass
        return decode()

    deadline = time.perf_counter() + 10
    requests = [batcher.submit(slow_decode, 1, deadline=deadline) for _ in range(REQUESTS)]
    outcomes = await asyncio.gather(*requests, return_exceptions=True)
    assert decoded.total() == REQUESTS
    assert max(decoded.values()) <= 4, "2 by take() and 2 ahead of it"
    if decode is fails:
        assert {str(outcome) for outcome in outcomes} == {"not a picture"}
    else:
        assert all(outcome.rows.tolist() == [[7, 14]] for outcome in outcomes)  # type: ignore[union-attr]
        if budget == IN_LOOP:
            assert runner.sizes == [REQUESTS], "a run in the event loop waits until all of its pictures are decoded"
    await batcher.close()


async def test_pictures_are_decoded_while_the_thread_computes() -> None:
    runner = Gated()
    batcher = make(runner, loop_budget_s=IN_THREAD)
    first = await in_a_run(batcher, runner)
    decoded = asyncio.Event()

    def decode() -> NDArray[np.uint8]:
        decoded.set()
        return pixels(7)

    second = asyncio.create_task(batcher.submit(decode, 1, deadline=time.perf_counter() + 10))
    await asyncio.wait_for(decoded.wait(), 5)
    assert not first.done()
    runner.gate.release(2)
    assert (await second).rows.tolist() == [[7, 14]]
    await first
    await batcher.close()


@pytest.mark.parametrize("budget", [IN_LOOP, IN_THREAD], ids=["short runs", "long runs"])
@pytest.mark.parametrize("is_alone", [True, False])
async def test_no_time_is_counted_in_two_stages(budget: float, is_alone: bool) -> None:
    batcher = make(Doubler(), loop_budget_s=budget)

    def decode() -> NDArray[np.uint8]:
        end = time.perf_counter() + DECODE_S
        while time.perf_counter() < end:
            pass
        return pixels(7)

    began = time.perf_counter()
    entry = await batcher.submit(decode, 1, deadline=began + 10, is_alone=is_alone)
    took_s = time.perf_counter() - began
    assert entry.prepare_s >= DECODE_S
    assert entry.queue_s >= 0
    assert entry.prepare_s + entry.queue_s + entry.inference_s <= took_s
    await batcher.close()


async def test_nothing_is_decoded_for_a_request_that_has_expired() -> None:
    batcher = make(Doubler(), loop_budget_s=IN_THREAD)
    decoded = []

    def decode() -> NDArray[np.uint8]:
        decoded.append(1)
        return pixels(7)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await batcher.submit(decode, 1, deadline=time.perf_counter() + 10)
    with pytest.raises(Exception, match="time limit"):
        await batcher.submit(decode, 1, deadline=time.perf_counter())
    assert decoded == []
    await batcher.close()
