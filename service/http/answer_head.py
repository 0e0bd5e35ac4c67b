"""The head of an answer as bytes: status line and headers, checked once for the whole head."""

from collections.abc import Iterable, Sequence
from http import HTTPStatus

_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode("ascii") for status in HTTPStatus}
_FRAMING = frozenset((b"content-length", b"transfer-encoding", b"connection"))
_BODILESS = (204, 304)


def encode_head(
    status: int, headers: Iterable[Sequence[bytes]], has_body: bool, keep_alive: bool
) -> tuple[bytes, int, bool, bool]:
    """Writes a head. A ``Transfer-Encoding`` of the application is dropped, because it is chosen here.

    Args:
        status: of the answer.
        headers: of the answer, pairs of name and value, which ASGI lets be lists too; names in any case.
        has_body: False where the request was HEAD.
        keep_alive: whether the client is willing to use the connection again.

    Returns:
        The head with its empty line; the Content-Length, 0 where there is none; whether the body is sent in chunks;
        whether the connection may be used again.

    Raises:
        RuntimeError: a header holds a line break.
    """
    parts = [_STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status]
    count, length, says_close, is_chunked = 1, -1, False, False
    for name, value in headers:
        lower = name.lower()
        if lower in _FRAMING:
            if lower == b"content-length":
                length = int(value)
            elif lower == b"transfer-encoding":
                continue
            elif b"close" in value.lower():
                keep_alive, says_close = False, True
        parts += (lower, b": ", value, b"\r\n")
        count += 1
    if not keep_alive and not says_close:
        parts.append(b"connection: close\r\n")
        count += 1
    if length < 0:
        length = 0
        if has_body and status not in _BODILESS:
            is_chunked = True
            parts.append(b"transfer-encoding: chunked\r\n")
            count += 1
    head = b"".join(parts)
    if head.count(b"\n") != count or head.count(b"\r") != count or b"\0" in head:
        raise RuntimeError("a header holds a line break")
    return head + b"\r\n", length, is_chunked, keep_alive
