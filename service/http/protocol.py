"""One HTTP/1.1 connection: uvicorn's, changed for small answers, many clients and hostile ones.

It differs in this:

- Each request is an :class:`service.http.exchange.Exchange`.
- The keep-alive timer is checked on expiry, not reset by each request.
- A client that sends its headers too slowly, or too many of them, is cut off; so is one whose chunked body brings
  framing and no bytes.
- Past the most connections requests are refused; far past it connections are refused.
- A connection whose request was refused with 503 is not read for the least that ``Retry-After`` can say, so that
  clients that ignore the header do not take the time of clients that are served.
- A connection that is idle when the server begins to drain may already have a request on its way. It is answered with
  ``Connection: close``; the connection is closed after that, or after a moment without a request.
"""

import asyncio
from typing import Any, cast
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.api.problems import LEAST_RETRY_AFTER_S, problem
from service.errors import OverloadedError
from service.http.asgi import ASGIApp, Receive, Scope, Send
from service.http.exchange import Exchange

_LINGER_S = 1.0
_HEADERS_TIMEOUT_S = 10.0
_MAX_HEADERS_BYTES = 65_536
MOST_REFUSED_CONNECTIONS = 1024
_HEADERS_TOO_LONG = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"content-length: 49\r\nconnection: close\r\n\r\nThe headers are longer than the 64 KiB allowed.\r\n"
)


class PatientProtocol(HttpToolsProtocol):
    """One connection."""

    cycle: Exchange  # type: ignore[assignment]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._draining = False
        self._awaiting_headers = True
        self._headers_timer: asyncio.TimerHandle | None = None
        self._idle_since = 0.0
        self._headers_bytes = 0
        self._barren_bytes = 0
        self._max_connections = self.limit_concurrency

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Starts the clock for the first request's headers."""
        super().connection_made(transport)
        if self._max_connections is not None and len(self.connections) > self._max_connections:
            if len(self.connections) > self._max_connections + MOST_REFUSED_CONNECTIONS:
                transport.abort()
                return
            self.app = refuse_connection
        self._start_headers_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops the clocks, and tells the request in progress."""
        self._stop_headers_timer()
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parses what came; watches over what ends inside headers, or inside a body."""
        cycle = self.cycle
        if cycle is None or not cycle.more_body or cycle.response_complete:
            super().data_received(data)
        else:
            held = len(cycle.body)
            super().data_received(data)
            # Chunk extensions and trailers have no end of their own, and the parser keeps them.
            self._barren_bytes = self._barren_bytes + len(data) if len(cycle.body) == held else 0
            if self._barren_bytes > _MAX_HEADERS_BYTES:
                self.transport.close()
        if self._awaiting_headers and not self.transport.is_closing():
            if self._headers_timer is None:
                self._start_headers_timer()
            self._headers_bytes += len(data)
            if self._headers_bytes > _MAX_HEADERS_BYTES:
                self._refuse_headers()

    def on_message_begin(self) -> None:
        """A request line begins."""
        self._awaiting_headers = True
        self.url = b""
        self.headers = []
        self.expect_100_continue = False

    def on_headers_complete(self) -> None:
        """The headers are whole: the request begins, or waits for the answer before it."""
        self._awaiting_headers = False
        if self._headers_timer is not None:
            self._stop_headers_timer()
        parser = self.parser
        version = parser.get_http_version()
        busy, self.cycle = (
            self.cycle,
            Exchange(
                self._scope(parser.get_method().decode("ascii"), version),
                self.transport,
                self.flow,
                self.server_state.default_headers,
                tasks=self.tasks,
                keep_alive=not self._draining and version != "1.0" and parser.should_keep_alive(),
                expects_continue=self.expect_100_continue,
                on_response=self.on_response_complete,
            ),
        )
        if busy is None or busy.response_complete:
            self._begin(self.cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))  # type: ignore[arg-type]

    def _scope(self, method: str, version: str) -> Scope:
        if self.url.startswith(b"/") and b"#" not in self.url:
            raw_path, _, query = self.url.partition(b"?")
        else:
            url = httptools.parse_url(self.url)
            raw_path, query = url.path, url.query or b""
        path = raw_path.decode("ascii")
        if b"%" in raw_path:
            path = unquote(path)
        if self.root_path:
            path, raw_path = self.root_path + path, self.root_path.encode("ascii") + raw_path
        return {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": version,
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "method": method,
            "root_path": self.root_path,
            "path": path,
            "raw_path": raw_path,
            "query_string": query,
            "headers": self.headers,
            "state": self.app_state.copy(),
        }

    def on_body(self, body: bytes) -> None:
        """Some of the body came."""
        exchange = self.cycle
        if exchange.response_complete:
            return
        exchange.body = exchange.body + body if exchange.body else body
        if len(exchange.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        exchange.message_event.set()

    def on_message_complete(self) -> None:
        """All of the body came."""
        if not self.cycle.response_complete:
            self.cycle.more_body = False
            self.cycle.message_event.set()

    def on_response_complete(self) -> None:
        """An answer is whole: the next request begins, or the idle time."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        if self.cycle.refused and not self.pipeline:
            self.flow.pause_reading()
            self.loop.call_later(LEAST_RETRY_AFTER_S, self.flow.resume_reading)
        else:
            self.flow.resume_reading()
        if self.pipeline:
            exchange, app = self.pipeline.pop()
            self._begin(cast("Exchange", exchange), cast("ASGIApp", app))
            return
        self._idle_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._wait_idly(self.timeout_keep_alive)

    def timeout_keep_alive_handler(self) -> None:
        """The clock rings: closes a connection that has been idle for as long as it may be."""
        self.timeout_keep_alive_task = None
        if not self._is_idle():
            return  # the end of its answer winds the clock again
        left_s = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if left_s > 0:
            self._wait_idly(left_s)
        else:
            super().timeout_keep_alive_handler()

    def shutdown(self) -> None:
        """Ends the connection after the request that it is busy with, or the next, or a moment of silence."""
        self._draining = True
        if self._is_idle():
            self.loop.call_later(_LINGER_S, self._close_if_idle)
        else:
            self.cycle.keep_alive = False

    def _begin(self, exchange: Exchange, app: ASGIApp) -> None:
        exchange.task = self.loop.create_task(exchange.run_asgi(app))
        self.tasks.add(exchange.task)

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _close_if_idle(self) -> None:
        if self._is_idle() and not self.transport.is_closing():
            self.transport.close()

    def _unset_keepalive_if_required(self) -> None:
        """Leaves the clock as it is: what it finds when it rings decides."""

    def _wait_idly(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    def _start_headers_timer(self) -> None:
        self._headers_bytes = 0
        self._headers_timer = self.loop.call_later(_HEADERS_TIMEOUT_S, self._give_up_on_headers)

    def _stop_headers_timer(self) -> None:
        if self._headers_timer is not None:
            self._headers_timer.cancel()
            self._headers_timer = None

    def _give_up_on_headers(self) -> None:
        self._headers_timer = None
        if self._is_idle():
            self.transport.close()

    def _refuse_headers(self) -> None:
        if self._is_idle():
            self.transport.write(_HEADERS_TOO_LONG)
        self.transport.close()


async def refuse_connection(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Answers every request of a connection that is one too many."""
    error = OverloadedError("the service has as many connections as it may have", LEAST_RETRY_AFTER_S)
    answer = problem(error)
    await answer._replace(headers=[*answer.headers, (b"connection", b"close")]).send(send)
