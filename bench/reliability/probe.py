"""Sends health requests to a service in a loop, from its own process, and keeps the longest wait.

::

    python -m bench.reliability.probe HOST PORT     each line that comes in is answered with the longest wait since the
                                                    last one, in seconds
"""

import contextlib
import select
import socket
import subprocess
import sys
import time
from typing import Self

_REQUEST = b"GET /health/live HTTP/1.1\r\nHost: probe\r\n\r\n"
_PAUSE_S = 0.001
_TIMEOUT_S = 60.0


class LivenessProbe:
    """The probe process, from start to stop.

    Args:
        host: of the service.
        port: of the service.
    """

    def __init__(self, host: str, port: int) -> None:
        self._command = [sys.executable, "-m", __name__, host, str(port)]

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.longest_s()  # the first answer shows that the probe has started
        return self

    def longest_s(self) -> float:
        """The longest wait since the last call, in seconds, including that of the current request."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def __exit__(self, *_: object) -> None:
        self._process.communicate()
        self._process.wait()


def main() -> None:
    """Runs until standard input ends."""
    host, port = sys.argv[1], int(sys.argv[2])
    longest_s = 0.0
    with socket.create_connection((host, port), timeout=_TIMEOUT_S) as connection, contextlib.suppress(EOFError):
        while True:
            asked = time.perf_counter()
            connection.sendall(_REQUEST)
            answer = b""
            while not answer.endswith(b"}"):
                chunk = connection.recv(65536)
                if not chunk:
                    sys.exit("the service closed the connection")
                answer += chunk
            longest_s = max(longest_s, time.perf_counter() - asked)
            if select.select([sys.stdin], [], [], _PAUSE_S)[0]:
                if not sys.stdin.readline():
                    raise EOFError
                print(longest_s, flush=True)
                longest_s = 0.0


if __name__ == "__main__":
    main()
