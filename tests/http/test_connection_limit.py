"""The class of the connection limit alone, with as many connections as a process may have."""

import resource

import pytest

from service.errors import SettingError
from service.http.connection_limit import MOST_FURTHER_CONNECTIONS, ConnectionCounts, ConnectionLimit
from service.http.server import _connections_allowed


class Counted:
    def __init__(self) -> None:
        self.was_asked_to_end = False
        self.was_aborted = False

    def shutdown(self) -> None:
        self.was_asked_to_end = True

    def abort(self) -> None:
        self.was_aborted = True


def fill(limit: ConnectionLimit, count: int, *, busy: bool) -> list[Counted]:
    connections = [Counted() for _ in range(count)]
    for connection in connections:
        limit.add(connection)
        if busy:
            limit.mark_busy(connection)
    return connections


def test_the_longest_idle_one_is_asked_to_end_and_the_new_one_served() -> None:
    limit = ConnectionLimit(ConnectionCounts(3))
    first, second, third = fill(limit, 3, busy=True)
    for connection in (second, first, third):
        limit.mark_idle(connection)
    (new,) = fill(limit, 1, busy=False)
    assert [c.was_asked_to_end for c in (first, second, third)] == [False, True, False]
    assert limit.serves(new)
    assert limit.has_room


def test_a_connection_that_was_asked_to_end_is_not_asked_again_whatever_it_still_does() -> None:
    limit = ConnectionLimit(ConnectionCounts(1))
    (old,) = fill(limit, 1, busy=False)
    fill(limit, 1, busy=True)
    limit.mark_busy(old)
    limit.mark_idle(old)
    (third,) = fill(limit, 1, busy=False)
    assert limit.serves(old)
    assert not limit.serves(third)
    limit.remove(old)
    assert not limit.has_room


def test_where_all_are_busy_a_thousand_more_may_ask_for_health() -> None:
    limit = ConnectionLimit(ConnectionCounts(2))
    busy = fill(limit, 2, busy=True)
    surplus = fill(limit, MOST_FURTHER_CONNECTIONS, busy=True)
    assert not any(limit.serves(connection) for connection in surplus)
    assert all(limit.serves(connection) for connection in busy)
    assert not any(connection.was_asked_to_end or connection.was_aborted for connection in busy + surplus)


def test_past_those_a_new_connection_takes_the_place_of_the_oldest_of_them() -> None:
    limit = ConnectionLimit(ConnectionCounts(2))
    busy = fill(limit, 2, busy=True)
    surplus = fill(limit, MOST_FURTHER_CONNECTIONS, busy=True)
    new = fill(limit, 2, busy=True)
    assert [connection.was_aborted for connection in surplus[:3]] == [True, True, False]
    assert not any(connection.was_aborted for connection in busy + surplus[2:] + new)
    for connection in surplus[:2]:
        limit.remove(connection)
    fill(limit, 1, busy=True)
    assert [connection.was_aborted for connection in surplus[2:4]] == [True, False]


def test_past_those_a_new_connection_takes_the_place_of_an_idle_one_first() -> None:
    limit = ConnectionLimit(ConnectionCounts(2))
    connections = fill(limit, 2 + MOST_FURTHER_CONNECTIONS, busy=False)
    (new,) = fill(limit, 1, busy=False)
    assert connections[0].was_aborted
    assert not new.was_aborted
    assert limit.serves(new)


def test_what_is_closed_leaves_room() -> None:
    limit = ConnectionLimit(ConnectionCounts(1))
    (first,) = fill(limit, 1, busy=True)
    (second,) = fill(limit, 1, busy=True)
    assert not limit.serves(second)
    limit.remove(first)
    assert limit.serves(second)
    assert limit.has_room


@pytest.mark.parametrize(
    ("files", "wanted", "served", "further"),
    [(768, 4096, 576, 192), (768, 10, 10, 758), (64, 4096, 48, 16), (5000, 4096, 3976, 1024), (5120, 4096, 4096, 1024)],
)
def test_few_files_are_divided_between_clients_and_probes(files: int, wanted: int, served: int, further: int) -> None:
    assert ConnectionCounts.within(files, wanted) == (served, further)


def test_where_fewer_further_ones_may_be_open_the_oldest_of_them_is_closed_earlier() -> None:
    limit = ConnectionLimit(ConnectionCounts(2, further=1))
    fill(limit, 2, busy=True)
    first, second = fill(limit, 2, busy=True)
    assert (first.was_aborted, second.was_aborted) == (True, False)


def test_a_low_limit_of_open_files_is_told(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    limit_files(monkeypatch, 1024)
    assert _connections_allowed(4096) == (576, 192)
    assert "the limit of 1024 open files leaves room for 576 connections, not 4096" in caplog.text


def test_a_limit_that_leaves_nearly_nothing_ends_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    limit_files(monkeypatch, 319)
    with pytest.raises(SettingError, match="319 open files is too low: the service needs 320 at least, and 5376 for"):
        _connections_allowed(4096)


def limit_files(monkeypatch: pytest.MonkeyPatch, files: int) -> None:
    """Answers as the system does where the process has a lower limit, which the tests' own process could not undo."""
    monkeypatch.setattr(resource, "getrlimit", lambda _kind: (files, files))
    monkeypatch.setattr(resource, "setrlimit", lambda _kind, _limits: None)
