"""The service as a separate process, and the folders of files for the tests."""

from bench.folders import FIXTURES, ROOT, SAMPLES
from bench.server_process import ServerProcess

__all__ = ["FIXTURES", "ROOT", "SAMPLES", "ServerProcess"]
