"""Parses the bytes of one connection into heads and bodies of requests.

An ``Upgrade`` is ignored, as RFC 9110, section 7.8 allows. The parser stops after a head with one, so a new parser gets
the head again without that header. Trailers are dropped, except ``Connection``, which the parser would obey.
"""

from http import HTTPStatus
from typing import Any, Protocol

import httptools

from service.http.asgi import Headers, Scope
from service.http.request_head import (
    FRAMING_HEADERS,
    MAX_HEAD_BYTES,
    MOST_HEADERS,
    HeadError,
    check_head,
    endless_framing,
    head_size,
    parser_error,
    split_target,
    too_long,
)


class RequestSink(Protocol):
    """Receives the parsed heads and bodies."""

    def begin_request(self, scope: Scope, *, keep_alive: bool, expects_continue: bool) -> None:
        """Called when a head is complete.

        Args:
            scope: ASGI's scope, without its state.
            keep_alive: whether the client is willing to use the connection again.
            expects_continue: whether the client waits for ``100 Continue`` before it sends its body.
        """

    def take_body(self, data: bytes) -> None:
        """Called with each part of the body of the last request."""

    def end_request(self) -> None:
        """Called when the body of the last request is complete."""


class RequestReader:
    """Reads the requests of one connection. The methods that begin with ``on_`` are called by the parser.

    Args:
        sink: receives the requests.
        server: address and port of the service.
        client: address and port of the client.

    Attributes:
        awaits_head: whether the head of the current request is not complete yet.
        has_stopped: whether further data is dropped without being parsed.
    """

    __deletable__ = ("_parser", "_sink")  # for mypyc

    def __init__(self, sink: RequestSink, server: Any, client: Any) -> None:
        self._sink = sink
        self._server = server
        self._client = client
        self._parser = httptools.HttpRequestParser(self)
        self._url = b""
        self._headers: Headers = []
        self._framing: Headers = []
        self._checked: Headers | None = None  # the framing headers that were valid in an earlier request
        self._expects_continue = False
        self._data_bytes = 0
        self._first_bytes = 0  # size of the data in which the head began
        self._barren_bytes = 0  # size of the data after that, or after the last part of a body
        self._has_progressed = False
        self.awaits_head = True
        self.has_stopped = False

    @property
    def method(self) -> str:
        """The method of the last request, as far as it is known."""
        return self._parser.get_method().decode("ascii")

    def feed(self, data: bytes) -> HeadError | None:
        """Parses further data.

        Args:
            data: from the connection.

        Returns:
            The error of an invalid request, after which further data is dropped; None where there is none. It is not
            raised, since a caught exception in a variable forms a reference cycle with the frame of that variable.
        """
        self._data_bytes = len(data)
        self._has_progressed = False
        error = self._parse(data)
        if error is None:
            if self._has_progressed:
                self._barren_bytes = 0
            else:
                self._barren_bytes += self._data_bytes
            if self._barren_bytes > MAX_HEAD_BYTES or len(self._headers) > MOST_HEADERS:
                error = too_long() if self.awaits_head else endless_framing()
        if error is not None:
            self.has_stopped = True
        return error

    def _parse(self, data: bytes) -> HeadError | None:
        while data and not self.has_stopped:
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                data = self._without_upgrade() + data[upgrade.args[0] :]
                self._parser = httptools.HttpRequestParser(self)
            except httptools.HttpParserError as error:
                return None if self.has_stopped else parser_error(error, data)
            else:
                break
        return None

    def close(self) -> None:
        """Drops the parser and the connection, which refer to this object, to break the reference cycles."""
        self.has_stopped = True
        del self._parser, self._sink

    def on_message_begin(self) -> None:
        """A request line begins.

        Raises:
            HeadError: the caller must drop further data.
        """
        if self.has_stopped:
            raise too_long()
        self.awaits_head = self._has_progressed = True
        self._first_bytes = self._data_bytes
        self._url = b""
        self._headers = []
        self._framing = []

    def on_url(self, url: bytes) -> None:
        """A part of the target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer.

        Raises:
            HeadError: a trailer says what is to become of the connection.
        """
        if self.awaits_head:
            name, value = name.lower(), value.strip()  # blanks around a value do not belong to it (RFC 9110, 5.5)
            self._headers.append((name, value))
            if name in FRAMING_HEADERS:
                self._framing.append((name, value))
        elif name.lower() == b"connection":
            raise HeadError(HTTPStatus.BAD_REQUEST, "Connection is a trailer; it may only be a header before the body")

    def on_headers_complete(self) -> None:
        """The head is complete.

        Raises:
            HeadError: it is not valid.
        """
        parser = self._parser
        version = parser.get_http_version()
        if self._framing != self._checked or version != "1.1":  # on one connection, these are usually the same
            check_head(version, self._framing)
            self._checked = self._framing if version == "1.1" else None
            expected = [value.lower() for name, value in self._framing if name == b"expect"]
            self._expects_continue = expected == [b"100-continue"] and version == "1.1"
        most_bytes = self._first_bytes + self._barren_bytes + self._data_bytes
        if len(self._headers) > MOST_HEADERS or (
            most_bytes > MAX_HEAD_BYTES and head_size(self._url, self._headers) > MAX_HEAD_BYTES
        ):
            raise too_long()
        method = parser.get_method().decode("ascii")
        if parser.should_upgrade():
            if method == "CONNECT":
                raise HeadError(HTTPStatus.NOT_IMPLEMENTED, "CONNECT is for proxies, and this server is not a proxy")
            return  # the head will be parsed again, without its Upgrade header
        path, raw_path, query = split_target(self._url)
        self.awaits_head = False
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": version,
            "server": self._server,
            "client": self._client,
            "scheme": "http",
            "method": method,
            "root_path": "",
            "path": path,
            "raw_path": raw_path,
            "query_string": query,
            "headers": self._headers,
        }
        self._sink.begin_request(
            scope,
            keep_alive=version == "1.1" and parser.should_keep_alive(),
            expects_continue=self._expects_continue,
        )

    def on_body(self, data: bytes) -> None:
        """A part of the body."""
        self._has_progressed = True
        self._sink.take_body(data)

    def on_message_complete(self) -> None:
        """The request is complete."""
        self._has_progressed = True
        if not self.awaits_head:
            self._sink.end_request()

    def _without_upgrade(self) -> bytes:
        lines = [name + b": " + value for name, value in self._headers if name != b"upgrade"]
        line = b"%b %b HTTP/%b" % (self._parser.get_method(), self._url, self._parser.get_http_version().encode())
        return b"\r\n".join([line, *lines, b"", b""])
