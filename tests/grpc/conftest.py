"""A server that speaks gRPC, and lets it change a repository of the tests' own."""

import re
from collections.abc import Iterator

import pytest

from tests.fixtures.models import copy_models
from tests.process import ServerProcess

_ADDRESS = re.compile(r"gRPC serves at (\S+)")


@pytest.fixture(scope="session")
def grpc_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("grpc")
    models = copy_models(folder / "models", "cifar10", "mnist")
    flags = ("--grpc-port", "0", "--models-dir", str(models), "--model-control", "true", "--log-format", "text")
    with ServerProcess(folder / "log", *flags) as process:
        yield process


@pytest.fixture(scope="session")
def grpc_address(grpc_server: ServerProcess) -> str:
    found = _ADDRESS.search(grpc_server.log.read_text())
    assert found is not None
    return found[1]
