"""Connections over a real socket that end in every way leave no objects behind, with the garbage collector off."""

import asyncio
import contextlib
import gc
import logging
import random
import weakref
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Self

import pytest
import uvicorn
import uvloop
from uvicorn.server import ServerState

from service.api.context import AppState
from service.api.problems import problem
from service.api.request_log import RequestLog
from service.api.requests import read_body
from service.errors import ClientGoneError, ConvoyError
from service.http import protocol
from service.http.asgi import Receive, Reply, Scope, Send
from service.http.body_budget import BodyBudget
from service.http.connection import Connection
from service.http.connection_limit import ConnectionCounts, ConnectionLimit
from service.http.protocol import HttpProtocol
from service.http.refusals import counted_refusals
from service.telemetry.metrics import Metrics
from tests.telemetry.metrics.page import Page

GET = b"GET %b HTTP/1.1\r\nHost: x\r\n%b\r\n"
POST = b"POST %b HTTP/1.1\r\nHost: x\r\n%b\r\n"
H2C = b"Connection: Upgrade\r\nUpgrade: h2c\r\n"
STREAMS = (
    b"",
    b"GET / HT",
    GET % (b"/", b""),
    GET % (b"/", b"Connection: close\r\n"),
    GET % (b"/", b"") * 200,
    GET % (b"/", H2C) + POST % (b"/", H2C + b"Content-Length: 5\r\n") + b"hello",
    GET % (b"/slow", b"") + GET % (b"/", b"") + b"GET / HTTP/2.0\r\n\r\n",
    GET % (b"/fail", b"") + GET % (b"/", b""),
    GET % (b"/busy", b"") + GET % (b"/", b""),
    GET % (b"/large", b"") * 20,
    POST % (b"/", b"Content-Length: 300000\r\n") + bytes(300_000),
    POST % (b"/", b"Content-Length: 300000\r\n") + bytes(200_000),
    POST % (b"/", b"Content-Length: 300000\r\nContent-Encoding: gzip\r\n") + bytes(300_000),
    POST % (b"/slow", b"Content-Length: 300000\r\n") + bytes(300_000) + GET % (b"/", b""),
    POST % (b"/slow", b"") + POST % (b"/", b"Content-Length: 200000\r\n") + bytes(100_000),
    POST % (b"/", b"Content-Length: 3\r\nExpect: 100-continue\r\n"),
    POST % (b"/", b"Transfer-Encoding: chunked\r\n") + b"5\r\nhello\r\n0\r\nTrailer: x\r\n\r\n",
    POST % (b"/", b"Transfer-Encoding: chunked\r\n") + b"5\r\nhello\r\nzz\r\n",
    POST % (b"/slow", b"Transfer-Encoding: chunked\r\n") + b"5\r\nhello\r\nzz\r\n",
    GET % (b"/slow", b"") + POST % (b"/", b"Transfer-Encoding: chunked\r\n") + b"8000\r\n%b\r\nzz\r\n" % bytes(0x8000),
    POST % (b"/", b"Transfer-Encoding: gzip, chunked\r\n"),
    GET % (b"/", b"A: " + b"a" * 100_000 + b"\r\n"),
    b"\x16\x03\x01\x02\x00",
)


async def app(scope: Scope, receive: Receive, send: Send, server: "Server") -> None:
    try:
        match scope["path"]:
            case "/slow":
                await asyncio.sleep(0.01)
                reply = Reply(200, b"slow", b"text/plain", [])
            case "/large":
                reply = Reply(200, bytes(200_000), b"text/plain", [])
            case "/busy":
                reply = Reply(503, b"busy", b"text/plain", [])
            case "/fail":
                raise RuntimeError("it fails on purpose")
            case "/wait":
                with Connection(receive, server.budget) as connection:
                    await read_body(connection, dict(scope["headers"]), 1 << 20, 2.0)
                server.received.set()
                await server.may_answer.wait()
                reply = Reply(200, b"late", b"text/plain", [])
            case _:
                with Connection(receive, server.budget) as connection:
                    body = await read_body(connection, dict(scope["headers"]), 1 << 20, 0.2)
                reply = Reply(200, b"%d" % len(body), b"text/plain", [])
    except ClientGoneError:
        return
    except ConvoyError as error:
        reply = problem(error)
    await reply.send(send)


class Server:
    """An HTTP server in this process, with small size and time limits.

    Attributes:
        faults: errors that were reported to the event loop.
        connections: connection objects that still exist.
        metrics: count the requests that are refused before the app.
        received: set when the app has the body of a request for ``/wait``.
        lost: set when a connection has been lost.
        may_answer: lets the app answer such a request.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(protocol, "_RECEIVE_TIMEOUT_S", 0.3)
        monkeypatch.setattr(protocol, "_LINGER_S", 0.05)
        self.faults: list[dict[str, Any]] = []
        self.connections: weakref.WeakSet[HttpProtocol] = weakref.WeakSet()
        self.budget = BodyBudget(1 << 20)
        self.limit = ConnectionLimit(ConnectionCounts(8))
        self.metrics = Metrics(version="1")
        parts = AppState(None, None, self.metrics, None, None, self.budget)
        self._refusals = counted_refusals(parts, RequestLog(every_request=True))
        self.state = ServerState()
        self.received, self.lost, self.may_answer = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, fault: self.faults.append(fault))
        config = uvicorn.Config(app, lifespan="off", log_config=None)
        config.load()
        config.loaded_app = lambda scope, receive, send: app(scope, receive, send, self)

        lost = self.lost

        class Noted(HttpProtocol):
            def connection_lost(self, exc: Exception | None) -> None:
                super().connection_lost(exc)
                lost.set()

        def connect() -> HttpProtocol:
            made = Noted(
                config,
                self.state,
                {},
                loop,
                limit=self.limit,
                budget=self.budget,
                refusals=self._refusals,
                write_timeout_s=0.3,
                keep_alive_s=1,
            )
            self.connections.add(made)
            return made

        self._server = await loop.create_server(connect, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    def counted(self) -> Page:
        """The metrics up to now."""
        self.metrics.fold()
        return Page(self.metrics.page().decode())

    async def ask(self, data: bytes) -> bytes:
        """Sends data on a new connection; returns all that comes until it is closed."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(data)
        answer = await reader.read()
        writer.close()
        return answer

    async def send(self, data: bytes, *, step: int, reads: bool, waits_s: float) -> None:
        """Opens a connection, sends as much of the data as it can, reads the answer or not, and closes."""
        with contextlib.suppress(OSError, RuntimeError, TimeoutError):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            reading = asyncio.ensure_future(reader.read(-1)) if reads else asyncio.ensure_future(asyncio.sleep(9))
            try:
                async with asyncio.timeout(waits_s):
                    for start in range(0, len(data), step):
                        writer.write(data[start : start + step])
                        await writer.drain()
                    await reading
            finally:
                reading.cancel()
                writer.transport.abort()


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)  # the application fails many times, and each failure would be logged
    yield
    logging.disable(logging.NOTSET)


def run(monkeypatch: pytest.MonkeyPatch, clients: Callable[[Server], Coroutine[Any, Any, None]]) -> None:
    """Runs clients; afterwards no object of their connections may be left."""

    async def main() -> None:
        async with Server(monkeypatch) as server:
            await clients(server)
            while server.state.connections or server.state.tasks:  # noqa: ASYNC110  uvicorn's state has no events
                await asyncio.sleep(0.01)
            await asyncio.sleep(0)
            assert not server.faults
            assert server.budget.held == 0
            assert len(server.connections) == 0, "a reference cycle holds them"
            assert server.limit.has_room

    gc.collect()
    gc.disable()
    try:
        uvloop.run(main())
    finally:
        gc.enable()


@pytest.mark.parametrize("reads", [True, False])
@pytest.mark.parametrize("step", [997, 1 << 20])
def test_nothing_stays_of_a_connection(monkeypatch: pytest.MonkeyPatch, step: int, reads: bool) -> None:
    async def clients(server: Server) -> None:
        for start in range(0, len(STREAMS), 6):
            streams = STREAMS[start : start + 6]
            await asyncio.gather(*(server.send(data, step=step, reads=reads, waits_s=0.2) for data in streams))

    run(monkeypatch, clients)


@pytest.mark.parametrize("length", [10, 300_000])
@pytest.mark.parametrize("has_arrived", [True, False])
def test_a_client_that_leaves_is_noticed_before_the_answer(
    monkeypatch: pytest.MonkeyPatch, length: int, has_arrived: bool
) -> None:
    """A long body pauses the reading; while it is paused, nothing is known of the client."""

    async def clients(server: Server) -> None:
        head = POST % (b"/wait", b"Content-Length: %d\r\n" % length)
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        first = length if has_arrived else length // 2
        writer.write(head + bytes(first))
        await writer.drain()
        writer.write(bytes(length - first))
        await server.received.wait()
        writer.transport.abort()
        async with asyncio.timeout(5):
            await server.lost.wait()
        server.may_answer.set()

    run(monkeypatch, clients)


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        ((GET % (b"/", b""))[:-2], b""),
        (POST % (b"/", b"Content-Length: 100\r\n") + b"less", b"HTTP/1.1 408 Request Timeout"),
    ],
    ids=["head", "body"],
)
def test_a_client_that_never_ends_its_request_is_given_up_on(
    monkeypatch: pytest.MonkeyPatch, data: bytes, answer: bytes
) -> None:
    async def clients(server: Server) -> None:
        async with asyncio.timeout(5):
            said = await server.ask(data)
        assert said.partition(b"\r\n")[0] == answer

    run(monkeypatch, clients)


def test_an_idle_connection_is_kept_for_the_whole_time_after_its_last_request(monkeypatch: pytest.MonkeyPatch) -> None:
    async def clients(server: Server) -> None:
        loop = asyncio.get_running_loop()
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(GET % (b"/", b""))
        loop.call_later(0.4, writer.write, GET % (b"/", b""))  # later than a head may come on a new connection
        begun = loop.time()
        async with asyncio.timeout(5):
            answers = await reader.read()
        writer.close()
        assert answers.count(b"HTTP/1.1 200 ") == 2
        assert loop.time() - begun >= 1.4

    run(monkeypatch, clients)


def test_the_last_request_that_is_read_is_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = (POST % (b"/", b"Content-Length: 5\r\n") + b"hello") * 64
    further = GET % (b"/", b"") * 3

    async def clients(server: Server) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(GET % (b"/slow", b"") + waiting[:-3])
        first = await reader.readuntil(b"slow")  # so the rest arrives later than the head of its request
        writer.write(waiting[-3:] + further)
        answers = first + await reader.read()
        writer.close()
        assert answers.count(b"HTTP/1.1 200 ") == answers.count(b"HTTP/1.1 ") == 65

    run(monkeypatch, clients)


def test_nothing_stays_of_random_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    async def clients(server: Server) -> None:
        async def come_and_go(seed: int) -> None:
            dice = random.Random(seed)
            for _ in range(12):
                data = bytearray(b"".join(dice.choices(STREAMS, k=dice.choice([1, 1, 2, 4]))))
                for _ in range(dice.choice([0, 0, 1, 3]) if data else 0):
                    data[dice.randrange(len(data)) : dice.randrange(len(data) + 1)] = dice.randbytes(2)
                step = dice.choice([50, 3000, 100_000, 1 << 20])
                await server.send(
                    bytes(data),
                    step=max(step, len(data) // 40),
                    reads=dice.random() < 0.7,
                    waits_s=dice.choice([0.002, 0.02, 0.1]),
                )

        await asyncio.gather(*(come_and_go(seed) for seed in range(20)))

    run(monkeypatch, clients)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (GET % (b"/", b"X-Request-ID: a\x01b\r\n"), 400),
        (GET % (b"/", b"A: " + b"a" * 100_000 + b"\r\n"), 431),
        (b"GET / HTTP/2.0\r\n\r\n", 505),
    ],
)
def test_a_request_with_an_invalid_head_is_counted(monkeypatch: pytest.MonkeyPatch, data: bytes, status: int) -> None:
    async def clients(server: Server) -> None:
        answer = await server.ask(data)
        assert answer.startswith(b"HTTP/1.1 %d " % status)
        assert b"\r\nx-request-id: " in answer
        counted = server.counted()
        assert counted.value("convoy_requests_total", method="GET", status=str(status)) == 1
        assert counted.value("convoy_errors_total") == 1
        assert counted.value("convoy_requests_in_flight") == 0

    run(monkeypatch, clients)


def test_a_request_beyond_the_limit_of_connections_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    async def clients(server: Server) -> None:
        busy = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(8)]
        for _, writer in busy:
            writer.write(GET % (b"/wait", b""))
        while len(server.state.tasks) < 8:  # noqa: ASYNC110  uvicorn's state has no events
            await asyncio.sleep(0)
        answer = await server.ask(POST % (b"/", b"Content-Length: 0\r\n"))
        assert answer.startswith(b"HTTP/1.1 503 ")
        counted = server.counted()
        assert counted.value("convoy_requests_total", method="POST", status="503") == 1
        assert counted.value("convoy_errors_total", reason="overloaded") == 1
        for _, writer in busy:
            writer.transport.abort()
        server.may_answer.set()

    run(monkeypatch, clients)
