"""One HTTP/1.1 connection: uvicorn's, for small answers, many clients, and strangers among them.

Four things differ. An answer's head waits for its body, so that both leave in one system call; a tenth of a small
request. The keep-alive clock is read when it rings instead of being wound for every request. A client that sends its
headers too slowly is cut off. And a connection that is idle when the server begins to drain is not closed under a
request that may be on its way: it may bring that one, is answered with ``Connection: close``, and only then, or after
a moment of silence, goes.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_LINGER_S = 1.0
_HEADERS_TIMEOUT_S = 10.0
_CONTINUE = b"HTTP/1.1 100 "


class PatientProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._draining = False
        self._awaiting_headers = True
        self._headers_timer: asyncio.TimerHandle | None = None
        self._idle_since = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Starts the clock for the first request's headers."""
        super().connection_made(transport)
        self._cork = _Cork(transport)
        self._start_headers_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops the clock."""
        self._stop_headers_timer()
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parses what came; starts the clock where it ends inside headers."""
        super().data_received(data)
        if self._awaiting_headers and self._headers_timer is None and not self.transport.is_closing():
            self._start_headers_timer()

    def on_message_begin(self) -> None:
        """A request line begins."""
        self._awaiting_headers = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The headers are whole: the request begins."""
        self._awaiting_headers = False
        if self._headers_timer is not None:
            self._stop_headers_timer()
        super().on_headers_complete()
        self.cycle.transport = self._cork  # type: ignore[assignment]
        if self._draining:
            self.cycle.keep_alive = False

    def on_response_complete(self) -> None:
        """An answer is whole: sends what the cork still holds, and starts the next request, or the idle time."""
        self._cork.finish()
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)
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

    def _unset_keepalive_if_required(self) -> None:
        """Leaves the clock as it is: what it finds when it rings decides."""

    def _wait_idly(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    def shutdown(self) -> None:
        """Ends the connection after the request that it is busy with, or the next, or a moment of silence."""
        self._draining = True
        if self._is_idle():
            self.loop.call_later(_LINGER_S, self._close_if_idle)
        else:
            self.cycle.keep_alive = False

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _close_if_idle(self) -> None:
        if self._is_idle() and not self.transport.is_closing():
            self.transport.close()

    def _start_headers_timer(self) -> None:
        self._headers_timer = self.loop.call_later(_HEADERS_TIMEOUT_S, self._give_up_on_headers)

    def _stop_headers_timer(self) -> None:
        if self._headers_timer is not None:
            self._headers_timer.cancel()
            self._headers_timer = None

    def _give_up_on_headers(self) -> None:
        self._headers_timer = None
        if self._is_idle():
            self.transport.close()


class _Cork:
    """A connection's transport that keeps the first write of each answer, its head, until the second.

    Args:
        transport: of the connection.
    """

    __slots__ = ("_head", "_transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head: bytes | None = None

    def write(self, data: bytes) -> None:
        if self._head is None:
            if data.startswith(_CONTINUE):
                self._transport.write(data)
            else:
                self._head = data
        elif self._head:
            head, self._head = self._head, b""
            self._transport.write(head + data)
        else:
            self._transport.write(data)

    def finish(self) -> None:
        """The answer is whole; the next write is another head."""
        if self._head:  # there was no body
            self._transport.write(self._head)
        self._head = None

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def close(self) -> None:
        self.finish()
        self._transport.close()
