"""What tests start and read: the service as a process of its own, and the files beside the tests."""

from bench.folders import FIXTURES, ROOT, SAMPLES
from bench.server_process import ServerProcess

__all__ = ["FIXTURES", "ROOT", "SAMPLES", "ServerProcess"]
