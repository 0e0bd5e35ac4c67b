"""When a batch is formed: at once, after an iteration of the event loop, or at the end of a window."""

import asyncio

import pytest

from tests.batching.doubler import IN_THREAD, Doubler, Gated, ask, first_step, in_a_run, make


async def test_a_lone_request_is_not_kept_waiting_for_others() -> None:
    runner = Doubler()
    batcher = make(runner)
    assert await ask(batcher, 7) == [[7, 14]]
    assert runner.sizes == [1]
    await batcher.close()


async def test_a_window_gathers_requests_that_come_apart() -> None:
    runner = Doubler()
    batcher = make(runner, max_queue_delay_s=0.2)
    first = asyncio.create_task(ask(batcher, 1))
    for _ in range(10):  # iterations in which a batcher without a window would form a batch
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


async def test_no_batch_is_formed_during_a_run_even_if_the_window_is_over() -> None:
    runner = Gated()
    batcher = make(runner, loop_budget_s=IN_THREAD, max_queue_delay_s=0.01)
    first = await in_a_run(batcher, runner)
    rest = [asyncio.create_task(ask(batcher, value)) for value in range(4)]
    for _ in range(10):  # iterations in which a batch could be formed
        await asyncio.sleep(0)
    assert batcher.waiting == 4
    runner.gate.release(2)
    assert await first == [[1, 2]]
    assert await asyncio.gather(*rest) == [[[value, 2 * value]] for value in range(4)]
    await batcher.close()


async def test_a_lone_request_is_answered_without_an_iteration_of_the_loop() -> None:
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
async def test_a_lone_request_waits_where_running_it_at_once_would_stop_the_loop(overrides: dict[str, object]) -> None:
    batcher = make(Doubler(), **overrides)  # type: ignore[arg-type]
    assert await ask(batcher, 3, 4, is_alone=True) == [[3, 6], [4, 8]]
    request = ask(batcher, 3, 4, is_alone=True)
    assert first_step(request) is None
    request.close()
    await batcher.close()


async def test_after_a_shared_run_a_lone_request_waits_an_iteration_for_others() -> None:
    runner = Doubler()
    batcher = make(runner)
    await asyncio.gather(ask(batcher, 1), ask(batcher, 2))
    assert runner.sizes == [2]
    await asyncio.gather(ask(batcher, 3, is_alone=True), ask(batcher, 4))
    assert runner.sizes == [2, 2]
    assert await ask(batcher, 5, is_alone=True) == [[5, 10]]
    assert first_step(ask(batcher, 6, is_alone=True)) == [[6, 12]]
    await batcher.close()


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
    first = await in_a_run(batcher, runner)
    rest = [asyncio.create_task(ask(batcher, value)) for value in range(5)]
    await asyncio.sleep(0)
    runner.gate.release(3)
    await asyncio.gather(first, *rest)
    assert sorted(runner.sizes) == [1, 1, 4]  # two runs are made at once, and either may end first
    await batcher.close()
