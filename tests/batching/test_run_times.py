"""Which runs may be executed in the event loop."""

from service.batching.run_times import RunTimes

BUDGET_S = 5e-3


def times(seconds_of_largest: float, *, max_batch_size: int = 32) -> RunTimes:
    return RunTimes(
        max_batch_size=max_batch_size,
        seconds_per_image=seconds_of_largest / max_batch_size,
        loop_budget_s=BUDGET_S,
    )


def short_sizes(run_times: RunTimes) -> set[int]:
    return {size for size in range(1, 33) if run_times.is_short(size)}


def test_where_the_largest_run_is_short_all_are() -> None:
    assert short_sizes(times(4e-3)) == set(range(1, 33))


def test_where_the_largest_run_is_long_no_other_is_believed_to_be_short() -> None:
    assert short_sizes(times(6e-3)) == set()


def test_without_a_budget_no_run_is_short() -> None:
    assert not RunTimes(max_batch_size=4, seconds_per_image=0.0, loop_budget_s=0.0).is_short(1)


def test_a_size_becomes_short_once_it_has_been_measured_in_the_thread_and_with_it_the_smaller_ones() -> None:
    run_times = times(20e-3)
    for _ in range(2):
        run_times.add(7, 4e-3, is_in_loop=False)
    assert short_sizes(run_times) == set()
    run_times.add(7, 4e-3, is_in_loop=False)
    assert short_sizes(run_times) == set(range(1, 9))


def test_a_size_that_was_measured_to_be_long_is_not_short_because_a_larger_one_is() -> None:
    run_times = times(4e-3)
    for _ in range(3):
        run_times.add(1, 8e-3, is_in_loop=True)
    assert short_sizes(run_times) == set(range(2, 33))


def test_a_size_that_gets_slower_goes_to_the_thread_and_returns_when_it_gets_faster() -> None:
    run_times = times(4e-3, max_batch_size=1)
    for _ in range(20):
        run_times.add(1, 6e-3, is_in_loop=run_times.is_short(1))
    assert not run_times.is_short(1)
    for _ in range(20):
        run_times.add(1, 2e-3, is_in_loop=run_times.is_short(1))
    assert run_times.is_short(1)


def test_one_run_that_took_a_little_longer_changes_nothing() -> None:
    run_times = times(2e-3, max_batch_size=1)
    run_times.add(1, 15e-3, is_in_loop=True)
    assert run_times.is_short(1)


def runs_in_the_thread(run_times: RunTimes) -> int:
    count = 0
    while not run_times.is_short(1):
        run_times.add(1, 1e-4, is_in_loop=False)
        count += 1
    return count


def test_a_run_that_stopped_the_loop_sends_the_next_ones_to_the_thread_and_each_time_more() -> None:
    run_times = times(1e-4, max_batch_size=1)
    penalties = []
    for _ in range(4):
        run_times.add(1, 1.0, is_in_loop=True)
        penalties.append(runs_in_the_thread(run_times))
    assert penalties == [32, 64, 128, 256]


def test_after_long_enough_such_runs_are_forgiven() -> None:
    run_times = times(1e-4, max_batch_size=1)
    run_times.add(1, 25e-3, is_in_loop=True)
    runs_in_the_thread(run_times)
    for _ in range(100 * 64):
        run_times.add(1, 1e-4, is_in_loop=True)
    run_times.add(1, 25e-3, is_in_loop=True)
    assert runs_in_the_thread(run_times) == 32
