"""Expired requests, requests with disconnected clients, and runs that end early because no request needs them."""

import asyncio

import numpy as np
import pytest
from numpy.typing import NDArray

from service.errors import ClientGoneError, DeadlineExceededError
from service.inference.inference_threads import Parts
from tests.batching.doubler import IN_THREAD, Doubler, Gated, Interruptible, Runs, ask, in_a_run, make


async def test_a_request_past_its_deadline_is_answered_although_the_run_hangs() -> None:
    runner = Gated()
    batcher = make(runner, loop_budget_s=IN_THREAD)
    in_the_run = await in_a_run(batcher, runner, timeout_s=0.05)
    waiting = asyncio.create_task(ask(batcher, 2, timeout_s=0.1))
    patient = asyncio.create_task(ask(batcher, 3))
    for late in (in_the_run, waiting):
        with pytest.raises(DeadlineExceededError):
            await late
    runner.gate.release(2)
    assert await patient == [[3, 6]]
    assert runner.sizes == [1, 1], "an expired request was computed"
    await batcher.close()


async def test_a_run_that_no_request_needs_is_ended_early() -> None:
    runner, runs = Interruptible(), Runs()
    batcher = make(runner, loop_budget_s=IN_THREAD, observer=runs)
    in_the_run = await in_a_run(batcher, runner, timeout_s=0.05)
    patient = asyncio.create_task(ask(batcher, 3))
    with pytest.raises(DeadlineExceededError):
        await in_the_run
    await asyncio.to_thread(runner.entered.acquire)  # the next run begins, although the gate was not opened
    assert runner.interruptions == 1
    runner.gate.release()
    assert await patient == [[3, 6]]
    assert runs.failed == [False]
    await batcher.close()


async def test_closing_ends_a_run_that_no_request_needs_and_waits_until_it_has_ended() -> None:
    runner = Interruptible()
    batcher = make(runner, loop_budget_s=IN_THREAD)
    caller = await in_a_run(batcher, runner)
    caller.cancel()
    await asyncio.wait([caller])
    await batcher.close()
    assert runner.interruptions == 1
    assert not batcher._running


async def test_a_run_that_other_requests_need_is_not_ended() -> None:
    runner = Interruptible()
    batcher = make(runner, loop_budget_s=IN_THREAD)
    first = await in_a_run(batcher, runner)
    hasty = asyncio.create_task(ask(batcher, 2, timeout_s=0.05))
    patient = asyncio.create_task(ask(batcher, 3))
    await asyncio.sleep(0)
    runner.gate.release()
    await first
    await asyncio.to_thread(runner.entered.acquire)
    with pytest.raises(DeadlineExceededError):
        await hasty
    runner.gate.release()
    assert await patient == [[3, 6]]
    assert runner.sizes == [1, 2]
    assert runner.interruptions == 0
    await batcher.close()


async def test_a_run_that_takes_too_long_in_the_loop_is_repeated_in_the_thread() -> None:
    class SlowInTheLoop(Doubler):
        def run(self, parts: Parts) -> NDArray[np.float32]:
            rows = super().run(parts)
            if self.is_in_loop[-1]:
                raise TimeoutError
            return rows

    runner, runs = SlowInTheLoop(), Runs()
    batcher = make(runner, observer=runs)
    assert await ask(batcher, 7) == [[7, 14]]
    assert await ask(batcher, 8, is_alone=True) == [[8, 16]]
    assert runner.is_in_loop[:2] == [True, False]
    assert runs.failed == [False, False]
    await batcher.close()


async def test_nothing_is_computed_for_a_client_that_has_gone() -> None:
    runner = Gated()
    batcher = make(runner, loop_budget_s=IN_THREAD)
    first = await in_a_run(batcher, runner)
    gone = asyncio.create_task(ask(batcher, 2, is_abandoned=lambda: True))
    stays = asyncio.create_task(ask(batcher, 3))
    runner.gate.release(2)
    await first
    assert await stays == [[3, 6]]
    with pytest.raises(ClientGoneError):
        await gone
    assert runner.sizes == [1, 1]
    await batcher.close()
