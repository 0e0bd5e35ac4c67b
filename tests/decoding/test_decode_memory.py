"""The memory of decoding is reserved before it is used, and released when the thread has finished."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from service.decoding.decode_memory import DecodeMemory
from service.decoding.decode_threads import DecodeThreads
from service.errors import OverloadedError
from service.http.body_budget import BodyBudget


async def test_a_picture_waits_for_the_memory_of_the_one_before() -> None:
    budget = BodyBudget(100)
    memory = DecodeMemory(budget)
    await memory.take(70)
    order: list[int] = []

    async def second(name: int) -> None:
        await memory.take(60)
        order.append(name)

    waiting = [asyncio.create_task(second(name)) for name in (0, 1, 2)]
    await asyncio.sleep(0)
    assert (budget.held, order) == (70, [])
    waiting[1].cancel()
    memory.give_back(70)
    await waiting[0]
    memory.give_back(60)
    await waiting[2]
    assert (budget.held, order) == (60, [0, 2])


async def test_one_picture_is_always_let_in() -> None:
    budget = BodyBudget(100)
    memory = DecodeMemory(budget)
    budget.take(90)
    held = await memory.take(1000)
    next_one = asyncio.create_task(memory.take(10))
    await asyncio.sleep(0)
    assert (held, budget.held, next_one.done()) == (0, 100, True)
    after = asyncio.create_task(memory.take(20))
    memory.give_back(held)
    await asyncio.sleep(0)
    assert not after.done()
    memory.give_back(await next_one)
    assert (await after, budget.held) == (0, 90)


class Held:
    """A call that lasts until the test releases it."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.let_go = threading.Event()

    def __call__(self) -> None:
        self.began.set()
        self.let_go.wait()


async def test_a_call_that_nobody_waits_for_is_not_made_and_one_that_runs_is_seen_to_its_end() -> None:
    held, never_made, ended = Held(), asyncio.Event(), []
    with DecodeThreads(1) as threads:
        first = asyncio.create_task(threads.run(held, lambda: ended.append("first")))
        await asyncio.to_thread(held.began.wait)
        second = asyncio.create_task(threads.run(lambda: ended.append("made"), never_made.set))
        await asyncio.sleep(0)
        first.cancel()
        second.cancel()
        await never_made.wait()
        assert ended == []
        held.let_go.set()
        assert await threads.run(lambda: 42) == 42
        assert ended == ["first"]


async def test_leaving_waits_for_no_thread() -> None:
    held = Held()
    with DecodeThreads(1) as threads:
        running = asyncio.create_task(threads.run(held))
        await asyncio.to_thread(held.began.wait)
        queued = asyncio.create_task(threads.run(held))
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await queued
    assert not running.done()
    assert all(thread.daemon for thread in threading.enumerate() if thread.name.startswith("decode-"))
    held.let_go.set()
    await running


@contextmanager
def no_new_thread() -> Iterator[None]:
    """Lets no thread start: each would need a larger stack than the address space has."""
    before = threading.stack_size(1 << 47)
    try:
        yield
    finally:
        threading.stack_size(before)


async def test_calls_are_left_to_the_threads_that_run_where_no_further_one_can_be_started() -> None:
    ended: list[int] = []
    with DecodeThreads(2) as threads:
        await threads.run(lambda: None)
        with no_new_thread():
            assert await threads.run(lambda: 42, lambda: ended.append(1)) == 42
        assert ended == [1]
        held = Held()
        running = asyncio.create_task(threads.run(held))
        await asyncio.to_thread(held.began.wait)
        assert await threads.run(lambda: 43) == 43, "the second thread is started when it can be"
        held.let_go.set()
        await running


async def test_a_call_is_refused_and_dropped_where_no_thread_can_be_started() -> None:
    ended: list[int] = []
    with DecodeThreads(2) as threads:
        with no_new_thread(), pytest.raises(OverloadedError, match="no thread can be started"):
            await threads.run(lambda: 42, lambda: ended.append(1))
        assert ended == [1]
        assert await threads.run(lambda: 42) == 42
