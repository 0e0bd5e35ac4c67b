"""The rate limit of a key applies to all workers of a machine together."""

import asyncio
import multiprocessing
import os
import signal
import threading
import time
from collections import Counter
from pathlib import Path

import httpx
import pytest

from bench.server_process import ServerProcess
from service.access import AccessControl, KeyFile, SharedRates, shared_rates
from service.access.api_key import make_key
from service.access.key_file import write_entry
from service.errors import RateLimitedError


def _key(folder: Path, rate: str) -> str:
    key, known = make_key("shop", frozenset(("predict",)), rate)
    (folder / "keys").write_text(write_entry(known))
    return key


def _ask(folder: Path, key: str, times: int) -> int:
    async def ask() -> int:
        access, admitted = AccessControl(KeyFile(folder / "keys"), SharedRates(folder)), 0
        for _ in range(times):
            try:
                await access.admit(key, "predict")
            except RateLimitedError:
                continue
            admitted += 1
        return admitted

    return asyncio.run(ask())


def test_processes_together_admit_the_rate(tmp_path: Path) -> None:
    key = _key(tmp_path, "500/day")
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        admitted = pool.starmap(_ask, [(tmp_path, key, 400)] * 2)
    assert sum(admitted) == 500


def test_keys_do_not_share_a_count(tmp_path: Path) -> None:
    rates = SharedRates(tmp_path)

    async def ask() -> list[bool]:
        names = [f"key{number}" for number in range(300)]
        return [await rates.acquire_sliding_window_entry(name, 1, 86_400) for name in (*names, *names)]

    assert asyncio.run(ask()) == [True] * 300 + [False] * 300


def _acquire(rates: SharedRates, limit: int) -> bool:
    return asyncio.run(rates.acquire_sliding_window_entry("key", limit, 86_400))


def test_a_process_that_has_lost_its_core_while_it_counts_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_rates, "_LOCK_WAIT_S", 60)
    one, other = SharedRates(tmp_path), SharedRates(tmp_path)
    answers: list[bool] = []
    asks = threading.Thread(target=lambda: answers.append(_acquire(other, 1)))
    with one._locked():
        place = one._read("key", 86_400, time.time())[0]
        asks.start()
        asks.join(0.05)
        assert answers == []
        assert place is not None
        window = int(time.time() // 86_400)
        shared_rates._ROW.pack_into(one._table, place, shared_rates._hash("key"), window, 1, 0)
    asks.join()
    assert answers == [False]


def test_requests_go_on_while_a_stopped_process_holds_the_lock(tmp_path: Path) -> None:
    one, other = SharedRates(tmp_path), SharedRates(tmp_path)
    with one._locked():
        begun = time.monotonic()
        assert [_acquire(other, 100) for _ in range(101)] == [True] * 100 + [False]
        assert time.monotonic() - begun < 1


@pytest.mark.slow
def test_two_workers_together_admit_the_rate(tmp_path: Path) -> None:
    key = _key(tmp_path, "20/day")
    flags = ("--workers", "2", "--keys-file", str(tmp_path / "keys"))
    with ServerProcess(tmp_path / "log", *flags) as served:
        statuses = _statuses(served, key, 40)
    assert sorted(set(statuses)) == [200, 429]
    assert statuses.count(200) == 20


@pytest.mark.slow
def test_a_worker_that_is_killed_neither_resets_nor_doubles_the_rate(tmp_path: Path) -> None:
    key = _key(tmp_path, "60/day")
    flags = ("--workers", "2", "--keys-file", str(tmp_path / "keys"))
    statuses: Counter[int] = Counter()
    with ServerProcess(tmp_path / "log", *flags) as served:
        for started, victim in enumerate(served.workers(), 2):
            statuses.update(_statuses(served, key, 20))
            os.kill(victim.pid, signal.SIGKILL)
            while served.log.read_text().count("ready for requests") == started:
                time.sleep(0.02)  # only the log shows when the new worker is ready
        statuses.update(_statuses(served, key, 40))
    assert statuses == {200: 60, 429: 20}


def _statuses(served: ServerProcess, key: str, times: int) -> list[int]:
    """The statuses of requests, each on a new connection, so that both workers get some of them."""
    statuses = []
    for _ in range(times):
        with httpx.Client(base_url=served.url, headers={"X-API-Key": key}) as client:
            statuses.append(client.get("/models").status_code)
    return statuses
