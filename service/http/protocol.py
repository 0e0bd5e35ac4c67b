"""One HTTP/1.1 connection. uvicorn's server makes one of these for each connection that it accepts.

::

    bytes ─> RequestReader ─ head, body ─> HttpProtocol ─> one Exchange for each request ─> the app
             └─ not a valid request ────> HttpProtocol ─> one Exchange ─> an error, after which the connection is closed

- The keep-alive timer is checked on expiry, not reset by each request.
- A client has 10 s to send a head. Where a request is answered before its body is complete, the client has 10 s and
  can send up to 64 MiB of the rest, which is dropped.
- Unsent bytes are limited in number and time (`flow.py`), and connections in number (`connection_limit.py`).
- After an answer with status 503 a connection is not read for one second, the least value of ``Retry-After``. Clients
  that ignore the header would otherwise take time from the other clients.
- When a connection is asked to end while it is idle, a request may already be on its way. So it stays open for one
  second; a request that comes in this time is answered with ``Connection: close``.
"""

import asyncio
from collections import deque
from typing import Any

import uvicorn
from uvicorn.protocols.utils import get_local_addr, get_remote_addr
from uvicorn.server import ServerState

from service.http.asgi import ASGIApp, Scope
from service.http.body_budget import BodyBudget
from service.http.connection_limit import ConnectionLimit
from service.http.exchange import Exchange
from service.http.flow import Flow
from service.http.refusals import LEAST_RETRY_AFTER_S, REFUSAL, is_probe, refuse, too_many_connections
from service.http.request_head import HeadError
from service.http.request_reader import RequestReader
from service.http.timer import Timer

_LINGER_S = 1.0
_RECEIVE_TIMEOUT_S = 10.0
_MOST_PIPELINED = 64
_MOST_UNREAD_BYTES = 65_536
_MOST_DISCARDED_BYTES = 64 << 20


class HttpProtocol(asyncio.Protocol):
    """One connection.

    Args:
        config: uvicorn's, with the app.
        server_state: uvicorn's, with the connections, tasks and default headers of the whole server.
        app_state: copied into the scope of each request.
        limit: counts the connections.
        budget: counts the bytes that all requests hold.
        refusals: answers the requests that are refused here; the error is in their scope.
        write_timeout_s: how long a client may take to read each MiB of an answer.
        keep_alive_s: how long a connection without a request is kept.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        limit: ConnectionLimit,
        budget: BodyBudget,
        refusals: ASGIApp,
        write_timeout_s: float,
        keep_alive_s: float,
    ) -> None:
        self._app: ASGIApp = config.loaded_app
        self._keep_alive_s = keep_alive_s
        self._server = server_state
        self._app_state = app_state
        self._loop = _loop or asyncio.get_running_loop()
        self._limit = limit
        self._budget = budget
        self._refusals = refusals
        self._write_timeout_s = write_timeout_s
        self._transport: asyncio.Transport
        self._flow: Flow
        self._reader: RequestReader
        self._last: Exchange | None = None  # the request whose head arrived last
        self._answering: Exchange | None = None
        self._pipeline: deque[tuple[Exchange, ASGIApp]] = deque()
        self._is_idle = True
        self._idle_since = 0.0
        self._is_ending = False  # the connection is closed after the next answer
        self._is_full = False  # no request after the last one is read
        self._discarded_bytes = 0
        self._receive_timer = Timer(self._loop)
        self._keep_alive_timer = Timer(self._loop)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Counts the connection, and starts the timer for its first head."""
        self._transport = transport
        self._flow = Flow(transport, self._loop, self._budget, self._write_timeout_s)
        self._reader = RequestReader(self, get_local_addr(transport), get_remote_addr(transport))
        self._server.connections.add(self)  # type: ignore[arg-type]  # a union of uvicorn's own protocols
        self._receive_timer.start(_RECEIVE_TIMEOUT_S, self._give_up_receiving)
        self._limit.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops the timers, and tells the applications that the client has left."""
        self._server.connections.discard(self)
        self._limit.remove(self)
        self._receive_timer.stop()
        self._keep_alive_timer.stop()
        for exchange in (self._answering, self._last):
            if exchange is not None:
                exchange.leave()
        for exchange, _ in self._pipeline:
            exchange.drop_body()
        self._pipeline.clear()
        self._answering = self._last = None  # they refer to this object: a reference cycle
        self._flow.resume_writing()
        if exc is None:
            self._transport.close()
        self._reader.close()

    def data_received(self, data: bytes) -> None:
        """Reads requests."""
        reader = self._reader
        if reader.has_stopped:
            return
        if self._is_idle:
            self._is_idle = False
            self._limit.mark_busy(self)
        if (error := reader.feed(data)) is not None:
            self._refuse(error)
        elif reader.awaits_head and not self._receive_timer.is_running:
            self._receive_timer.start(_RECEIVE_TIMEOUT_S, self._give_up_receiving)

    def begin_request(self, scope: Scope, *, keep_alive: bool, expects_continue: bool) -> None:
        """Begins a request whose head is complete, or makes it wait for the answers to earlier requests."""
        if self._receive_timer.is_running:
            self._receive_timer.stop()
        self._discarded_bytes = 0
        app, keep_alive = self._app, keep_alive and not self._is_ending
        if self._limit.surplus and not self._limit.serves(self):
            keep_alive = False
            if not is_probe(scope["method"], scope["path"]):
                app = self._refusals
                scope[REFUSAL] = too_many_connections()
        scope["state"] = self._app_state.copy()
        self._begin_in_turn(scope, app, keep_alive=keep_alive, expects_continue=expects_continue)

    def take_body(self, data: bytes) -> None:
        """Hands a part of a body to its request, or drops it where the request is answered already."""
        if (last := self._last) is None:
            return
        if last.response_complete:
            self._discarded_bytes += len(data)
            if self._discarded_bytes > _MOST_DISCARDED_BYTES:
                self._transport.close()
            return
        last.arrive(data)
        if len(last.body) > _MOST_UNREAD_BYTES:
            self._flow.pause_reading()

    def end_request(self) -> None:
        """Notes that the body of a request is complete."""
        if (last := self._last) is None:
            return
        last.end_body()
        if self._is_full:
            self._reader.has_stopped = True
        if last.response_complete:
            self._receive_timer.stop()
            self._become_idle()

    def pause_writing(self) -> None:
        """Called by the transport when the kernel does not take all that was written."""
        self._flow.pause_writing()

    def resume_writing(self) -> None:
        """Called by the transport when the kernel has taken everything."""
        self._flow.resume_writing()

    def shutdown(self) -> None:
        """Closes the connection after the request in progress, or after the next one, or after a second without one."""
        self._is_ending = True
        if self._is_idle:
            self._loop.call_later(_LINGER_S, self._close_if_idle)
        elif self._last is not None:
            self._last.keep_alive = False

    def abort(self) -> None:
        """Closes the connection at once."""
        self._transport.abort()

    def _begin_in_turn(self, scope: Scope, app: ASGIApp, *, keep_alive: bool, expects_continue: bool) -> None:
        exchange = self._last = Exchange(
            scope,
            self._transport,
            self._flow,
            self._server.default_headers,
            budget=self._budget,
            tasks=self._server.tasks,
            keep_alive=keep_alive,
            expects_continue=expects_continue,
            on_answered=self._on_answered,
        )
        if self._answering is None:
            self._begin(exchange, app)
            return
        self._flow.pause_reading()
        self._pipeline.append((exchange, app))
        if len(self._pipeline) == _MOST_PIPELINED:
            exchange.keep_alive = False  # clients send unanswered requests again on another connection
            self._is_full = True

    def _begin(self, exchange: Exchange, app: ASGIApp) -> None:
        self._answering = exchange
        exchange.task = self._loop.create_task(exchange.run_asgi(app))
        self._server.tasks.add(exchange.task)

    def _refuse(self, error: HeadError) -> None:
        """Answers invalid input with an error, after the requests before it; then the connection is closed."""
        broken, app = self._last, self._refusals
        if broken is not None and broken.more_body:  # the invalid part is its body
            if broken.response_started:
                broken.keep_alive = False
                if broken.response_complete:
                    self._end(broken)
                return
            broken.leave()
            if broken is self._answering:
                self._answering = None
                app = refuse  # the app has begun to answer this request, and counts it
            else:
                self._pipeline.pop()
                broken.drop_body()  # no application will receive it
        method = self._reader.method
        scope = {"type": "http", "method": method, "path": "", "headers": [], "state": {}, REFUSAL: error}
        self._begin_in_turn(scope, app, keep_alive=False, expects_continue=False)

    def _on_answered(self, exchange: Exchange) -> None:
        """Begins the next request, or the idle time; called when the kernel has taken a whole answer."""
        self._server.total_requests += 1
        self._answering = None
        if self._transport.is_closing():
            return
        if not exchange.keep_alive:
            self._end(exchange)
            return
        if exchange.refused and not self._pipeline:
            self._flow.pause_reading()
            self._loop.call_later(LEAST_RETRY_AFTER_S, self._flow.resume_reading)
        elif self._flow.is_read_paused:
            self._flow.resume_reading()
        if self._pipeline:
            self._begin(*self._pipeline.popleft())
        elif not (exchange.more_body or self._reader.awaits_head):
            self._become_idle()
        elif not self._receive_timer.is_running:
            self._receive_timer.start(_RECEIVE_TIMEOUT_S, self._give_up_receiving)

    def _end(self, exchange: Exchange) -> None:
        """Closes the connection after an answer. While the client may still be sending, it first reads on for a second.

        When a socket is closed with unread data, the kernel sends a reset, and the client may lose the answer.
        Source: RFC 9112, section 9.6.
        """
        if exchange.more_body or self._reader.has_stopped:
            self._reader.has_stopped = True
            self._flow.resume_reading()
            self._transport.write_eof()
            self._receive_timer.start(_LINGER_S, self._give_up_receiving)
        else:
            self._transport.close()

    def _become_idle(self) -> None:
        """Waits for the next request."""
        if self._is_ending:
            self._transport.close()
            return
        self._is_idle = True
        self._idle_since = self._loop.time()
        self._limit.mark_idle(self)
        if not self._keep_alive_timer.is_running:
            self._keep_alive_timer.start(self._keep_alive_s, self._check_keep_alive)

    def _check_keep_alive(self) -> None:
        """Closes the connection if it has been idle for the keep-alive time."""
        if self._is_idle:
            left_s = self._idle_since + self._keep_alive_s - self._loop.time()
            if left_s > 0:
                self._keep_alive_timer.start(left_s, self._check_keep_alive)
            else:
                self._transport.close()

    def _close_if_idle(self) -> None:
        if self._is_idle:
            self._transport.close()

    def _give_up_receiving(self) -> None:
        if self._answering is None:
            self._transport.close()
