"""A server for hostile requests."""

from collections.abc import Iterator

import httpx
import pytest

from tests.process import ServerProcess
from tests.server.hostile import PNG


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with short time limits and small buffers."""
    flags = ("--request-timeout-s", "1", "--max-body-bytes", str(16 << 20), "--max-body-bytes-in-flight", str(22 << 20))
    with ServerProcess(tmp_path_factory.mktemp("hostile") / "log", *flags) as process:
        yield process


@pytest.fixture
def http(target: ServerProcess, cat: bytes) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=target.url, timeout=30) as client:
        yield client
        answer = client.post("/predict", content=cat, headers=PNG)
        assert answer.json()["predictions"][0]["label"] == "cat"
    log = target.log.read_text()
    assert "Traceback" not in log
    assert "internal" not in log
