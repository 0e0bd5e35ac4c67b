"""Work in the threads of a pool, where no further thread can be started."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from service.api.work_thread import WorkThread
from service.errors import OverloadedError
from service.pool_threads import run_in_pool
from tests.decoding.test_decode_memory import no_new_thread


async def test_work_that_no_thread_could_begin_is_dropped() -> None:
    done: list[str] = []
    with ThreadPoolExecutor(1) as pool:
        with no_new_thread(), pytest.raises(OverloadedError, match="no thread can be started"):
            await run_in_pool(lambda: done.append("first"), pool)
        await run_in_pool(lambda: done.append("second"), pool)
    assert done == ["second"]


async def test_an_error_of_the_work_is_raised_as_it_is() -> None:
    def fail() -> None:
        raise RuntimeError("of the work")

    with ThreadPoolExecutor(1) as pool, pytest.raises(RuntimeError, match="of the work"):
        await run_in_pool(fail, pool)


async def test_a_long_body_is_refused_where_no_thread_can_be_started() -> None:
    thread = WorkThread("bodies", "to be read")
    with no_new_thread(), pytest.raises(OverloadedError):
        await thread.run(lambda: None, deadline=time.perf_counter() + 10, is_abandoned=lambda: False)
