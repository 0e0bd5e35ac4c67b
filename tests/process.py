"""What tests start and read: the service as a process of its own, and the files beside the tests."""

from bench.server_process import FIXTURES, ROOT, SAMPLES, ServerProcess

__all__ = ["FIXTURES", "ROOT", "SAMPLES", "ServerProcess"]
