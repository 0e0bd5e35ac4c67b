"""Waits for what no event reports."""

import time
from collections.abc import Callable


def until(holds: Callable[[], bool], timeout_s: float = 30) -> None:
    """Polls until a condition is true."""
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, "it did not become so in time"
        time.sleep(0.02)
