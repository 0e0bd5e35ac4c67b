"""Models that are replaced again and again do not leak memory, threads or files."""

from pathlib import Path

import httpx
import psutil
import pytest

from tests.fixtures.keys import bearer, write_keys
from tests.fixtures.models import copy_models
from tests.process import ServerProcess

pytestmark = pytest.mark.slow

RELOADS = 50


def test_reloads_do_not_grow_the_service(tmp_path: Path) -> None:
    flags, keys = write_keys(tmp_path, all=("control",))
    flags += ["--models-dir", str(copy_models(tmp_path / "models", "cifar10")), "--model-control", "true"]
    with (
        ServerProcess(tmp_path / "log", *flags) as process,
        httpx.Client(base_url=process.url, headers=bearer(keys["all"]), timeout=30) as http,
    ):
        service = psutil.Process(process.process.pid)
        memory, threads = [], []
        for _ in range(RELOADS):
            assert http.post("/v2/repository/models/cifar10/load").status_code == 200
            memory.append(service.memory_info().rss)
            threads.append(service.num_threads())
        assert max(memory[10:]) - memory[10] < 16e6
        assert max(threads) <= threads[10] + 4
