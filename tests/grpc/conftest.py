"""Fixtures of a server with gRPC."""

from collections.abc import Iterator

import pytest

from tests.fixtures.models import copy_models
from tests.grpc_address import grpc_address_of
from tests.process import ServerProcess


@pytest.fixture(scope="session")
def grpc_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("grpc")
    models = copy_models(folder / "models", "cifar10", "mnist")
    flags = ("--grpc-port", "0", "--models-dir", str(models), "--log-format", "text")
    with ServerProcess(folder / "log", *flags) as process:
        yield process


@pytest.fixture(scope="session")
def grpc_address(grpc_server: ServerProcess) -> str:
    return grpc_address_of(grpc_server)
