"""One HTTP/1.1 connection: uvicorn's, with the patience of a server that strangers talk to.

Two things are added. A client that sends its headers too slowly is cut off. And a connection that is idle when the
server begins to drain is not closed under a request that may be on its way: it may bring that one, is answered with
``Connection: close``, and only then, or after a moment of silence, goes.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_LINGER_S = 1.0
_HEADERS_TIMEOUT_S = 10.0


class PatientProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._draining = False
        self._awaiting_headers = True
        self._headers_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Starts the clock for the first request's headers."""
        super().connection_made(transport)
        self._start_headers_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops the clock."""
        self._stop_headers_timer()
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
        if self._draining:
            self.cycle.keep_alive = False

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
