"""Fixtures for all tests: a real server with the committed models, a client for it, and real pictures."""

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

from tests.process import ROOT, SAMPLES, ServerProcess

_OFFLINE = ("contract", "fuzz", "imaging", "scoring", "training")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Makes two groups for `make test`, which run in parallel, since tests of a service mostly wait."""
    for item in items:
        folder = item.path.relative_to(ROOT / "tests").parts[0]
        item.add_marker(pytest.mark.xdist_group("offline" if folder in _OFFLINE else "service"))


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with default settings, shared by every test that does not change it."""
    with ServerProcess(tmp_path_factory.mktemp("server") / "log") as process:
        yield process


@pytest.fixture
def client(server: ServerProcess) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=30) as http:
        yield http


@pytest.fixture(scope="session")
def samples() -> dict[str, list[Path]]:
    """The 20 sample pictures of each model, by model name."""
    return {name: sorted(SAMPLES.glob(f"{name}_*.png")) for name in ("cifar10", "mnist")}


@pytest.fixture(scope="session")
def cat() -> bytes:
    return (SAMPLES / "cifar10_cat_0.png").read_bytes()
