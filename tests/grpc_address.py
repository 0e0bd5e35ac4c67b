"""Finds the gRPC address of a server in its log."""

import re

from tests.process import ServerProcess

_ADDRESS = re.compile(r"gRPC serves at (\S+)")


def grpc_address_of(process: ServerProcess) -> str:
    """The address; the server must log as text."""
    found = _ADDRESS.search(process.log.read_text())
    assert found is not None
    return found[1]
