"""Open-loop load, which does not wait for answers: it measures the waiting time of requests at a slow server."""

import socket
import threading
from collections.abc import Iterator

import pytest

from bench.growth.open_loop import offer
from bench.request_bytes import request_bytes

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Server:
    """Answers one request at a time over all connections, each after a delay."""

    def __init__(self, seconds: float, answer: bytes) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._turn = threading.Lock()
        self._wait = threading.Event()
        self._seconds, self._answer = seconds, answer
        self.requests = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._wait.set()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            while connection.recv(65_536):
                with self._turn:
                    self._wait.wait(self._seconds)
                    self.requests += 1
                connection.sendall(self._answer)


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    server = Server(*request.param)
    yield server
    server.close()


@pytest.mark.parametrize("server", [(0.02, ANSWER)], indirect=True)
def test_requests_that_wait_for_others_are_counted_with_their_wait(server: Server) -> None:
    load = offer(server.port, [request_bytes("/", b"x", "text/plain")], rate=100, seconds=0.5, seed=1, patience_s=30)
    assert len(load.latencies_s) == server.requests > 30
    assert (load.refused, load.unanswered) == (0, 0)
    assert min(load.latencies_s) >= 0.02
    assert max(load.latencies_s) > 0.2  # the load is twice the capacity; a closed loop would measure 20 ms


@pytest.mark.parametrize("server", [(0.0, ANSWER.replace(b"200 OK", b"503 No"))], indirect=True)
def test_errors_are_counted(server: Server) -> None:
    load = offer(server.port, [request_bytes("/", b"x", "text/plain")], rate=100, seconds=0.2, seed=1)
    assert load.refused == len(load.latencies_s) > 5
