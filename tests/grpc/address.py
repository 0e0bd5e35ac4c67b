"""Where a server speaks gRPC: on a free port, which its log names."""

import re

from tests.process import ServerProcess

_ADDRESS = re.compile(r"gRPC serves at (\S+)")


def grpc_address_of(process: ServerProcess) -> str:
    """The address; the server logs as text."""
    found = _ADDRESS.search(process.log.read_text())
    assert found is not None
    return found[1]
