"""Checks of a request's head that the parser does not make.

Source: RFC 9112 (HTTP/1.1), sections 2.3, 3.2, 5 and 6.3.
"""

import re
from http import HTTPMethod, HTTPStatus
from typing import Any
from urllib.parse import unquote

import httptools

from service.http.asgi import Headers

MAX_HEAD_BYTES = 65_536
MOST_HEADERS = 256
FRAMING_HEADERS = frozenset((b"host", b"transfer-encoding", b"expect"))
"""Headers that :func:`check_head` checks, and ``Expect``, which the connection answers itself."""

_HOST = re.compile(rb"(?:\[[0-9A-Za-z.:~%-]+\]|(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*)(?::[0-9]{0,5})?")
_METHOD = re.compile(rb"(?:\r\n)*([!#$%&'*+.^_`|~0-9A-Za-z-]+)(?: |$)")
_VERSION_ERRORS = ("Invalid HTTP version", "Pause on PRI/Upgrade")


class HeadError(Exception):
    """A request is not valid HTTP. Its connection is closed after the answer.

    Attributes:
        status: of the answer.
        detail: what is wrong and what is allowed.
    """

    def __init__(self, status: HTTPStatus, detail: str) -> None:
        self.status = status
        self.detail = detail
        super().__init__(detail)


def check_head(version: str, framing: Headers) -> None:
    """Checks the version, and the headers that say where a request goes and where it ends.

    Args:
        version: of HTTP, such as ``1.1``.
        framing: the headers whose names are in ``FRAMING_HEADERS``, names in lower case.

    Raises:
        HeadError: they are not valid.
    """
    if version not in ("1.1", "1.0"):
        raise unknown_version()
    hosts = [value for name, value in framing if name == b"host"]
    codings = [value for name, value in framing if name == b"transfer-encoding"]
    if not hosts and version == "1.1":
        raise HeadError(HTTPStatus.BAD_REQUEST, "the request has no Host header, which HTTP/1.1 requires")
    if len(hosts) > 1:
        raise HeadError(HTTPStatus.BAD_REQUEST, "the request has more than one Host header; send one")
    if hosts and not _HOST.fullmatch(hosts[0]):
        raise HeadError(HTTPStatus.BAD_REQUEST, "the Host header is not a name or an address, with or without a port")
    if codings and version == "1.0":
        raise HeadError(HTTPStatus.BAD_REQUEST, "HTTP/1.0 has no Transfer-Encoding; send a Content-Length")
    if codings and b",".join(codings).strip().lower() != b"chunked":
        raise HeadError(HTTPStatus.NOT_IMPLEMENTED, "the only transfer coding that is supported is chunked, alone")


def unknown_version() -> HeadError:
    """The error for a version of HTTP that is not supported."""
    return HeadError(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "send the request in HTTP/1.1 or HTTP/1.0")


def too_long() -> HeadError:
    """The error for a head that is longer than allowed."""
    return HeadError(
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
        f"request line and headers have over {MAX_HEAD_BYTES} bytes, or there are over {MOST_HEADERS} headers",
    )


def endless_framing() -> HeadError:
    """The error for a chunked body with chunk extensions or trailers of any length."""
    return HeadError(HTTPStatus.BAD_REQUEST, f"chunk extensions or trailers have more than {MAX_HEAD_BYTES} bytes")


def head_size(url: bytes, headers: Headers) -> int:
    """The length of a head in bytes, without its method and version."""
    return len(url) + sum(len(name) + len(value) + 4 for name, value in headers)


def parser_error(error: httptools.HttpParserError, data: bytes) -> HeadError:
    """The answer to an error of the parser, without a traceback, which would refer to the connection.

    Args:
        error: as raised; where a callback of the parser raised, its context is that exception.
        data: that the parser was given.
    """
    if isinstance(error.__context__, HeadError):
        return error.__context__.with_traceback(None)
    if str(error) in _VERSION_ERRORS:
        return unknown_version()
    method = _METHOD.match(data) if isinstance(error, httptools.HttpParserInvalidMethodError) else None
    if method and method[1].decode() not in HTTPMethod.__members__:  # otherwise a later request in the data is invalid
        return HeadError(HTTPStatus.NOT_IMPLEMENTED, "the method of the request is not known")
    return HeadError(HTTPStatus.BAD_REQUEST, "the request is not valid HTTP/1.1")


def split_target(target: bytes) -> tuple[str, bytes, bytes]:
    """Splits a request's target into path and query.

    Args:
        target: ``/path?query`` or a whole URL.

    Returns:
        The decoded path, the raw path, and the query.

    Raises:
        httptools.HttpParserError: it is not valid.
    """
    if target.startswith(b"/") and b"#" not in target:
        raw_path, _, query = target.partition(b"?")
    else:
        url: Any = httptools.parse_url(target)  # its parts may be None, other than its types say
        raw_path, query = url.path or b"/", url.query or b""
    path = raw_path.decode("ascii")
    return unquote(path) if b"%" in raw_path else path, raw_path, query
