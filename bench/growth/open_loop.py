"""Open-loop load: requests are sent at the times of a Poisson process, without waiting for answers.

A closed loop (wrk) sends its next request when an answer has come, so a slow server gets fewer requests and its worst
latencies are measured least ("coordinated omission", Tene, 2013). Here latency is counted from the time at which a
request was due. The loop polls without pause, so it needs its own core.
"""

import random
import re
import select
import socket
import time
from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
_MOST_CONNECTIONS: Final = 1024


class OpenLoad(NamedTuple):
    """The results of one run.

    Attributes:
        latencies_s: of each answer, from the time at which its request was due.
        refused: answers with an error status.
        unanswered: requests without an answer at the end of the run.
    """

    latencies_s: list[float]
    refused: int
    unanswered: int


class _Connection:
    """One connection, with at most one request on it."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.due_at = 0.0
        self._read = b""

    def answer(self) -> int | None:
        """Reads the available bytes; returns the status when the answer is complete, None before.

        Raises:
            ConnectionError: the server has closed the connection.
        """
        part = self.socket.recv(65_536)
        if not part:
            raise ConnectionError("the server has closed a connection")
        self._read += part
        head, found, body = self._read.partition(b"\r\n\r\n")
        length = _LENGTH.search(head + b"\r\n")
        if not found or length is None or len(body) < int(length[1]):
            return None
        self._read = b""
        return int(head[9:12])


def offer(
    port: int, requests: Sequence[bytes], *, rate: float, seconds: float, seed: int, patience_s: float = 2.0
) -> OpenLoad:
    """Sends requests at random times.

    Args:
        port: of the server on this machine.
        requests: whole requests, sent in turn.
        rate: mean number of requests per second.
        seconds: duration.
        seed: of the random times.
        patience_s: how long to wait for answers after the last request.
    """
    chance = random.Random(seed)
    start = time.perf_counter()
    due: deque[float] = deque()
    at = start
    while (at := at + chance.expovariate(rate)) < start + seconds:
        due.append(at)
    sent, latencies, refused = 0, list[float](), 0
    idle: list[_Connection] = []
    busy: dict[int, _Connection] = {}
    poll = select.epoll()
    try:
        while (due or busy) and time.perf_counter() < start + seconds + patience_s:
            while due and due[0] <= time.perf_counter() and (idle or len(busy) < _MOST_CONNECTIONS):
                if idle:
                    connection = idle.pop()
                else:
                    connection = _Connection(port)
                    poll.register(connection.socket.fileno(), select.EPOLLIN)
                connection.due_at = due.popleft()
                busy[connection.socket.fileno()] = connection
                connection.socket.sendall(requests[sent % len(requests)])
                sent += 1
            for number, _ in poll.poll(0):
                connection = busy[number]
                status = connection.answer()
                if status is not None:
                    latencies.append(time.perf_counter() - connection.due_at)
                    refused += status >= 400
                    idle.append(busy.pop(number))
    finally:
        unanswered = len(due) + len(busy)
        for connection in (*idle, *busy.values()):
            connection.socket.close()
        poll.close()
    return OpenLoad(latencies, refused, unanswered)
