"""A key's rate holds for all workers of a machine together."""

import asyncio
import multiprocessing
from pathlib import Path

import httpx
import pytest

from bench.server_process import ServerProcess
from service.access import AccessControl, KeyFile, SharedRates
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


@pytest.mark.slow
def test_two_workers_together_admit_the_rate(tmp_path: Path) -> None:
    key = _key(tmp_path, "20/day")
    flags = ("--workers", "2", "--keys-file", str(tmp_path / "keys"))
    with ServerProcess(tmp_path / "log", *flags) as served:
        statuses = []
        for _ in range(40):  # a connection each, so that both workers get some
            with httpx.Client(base_url=served.url, headers={"X-API-Key": key}) as client:
                statuses.append(client.get("/models").status_code)
    assert sorted(set(statuses)) == [200, 429]
    assert statuses.count(200) == 20
