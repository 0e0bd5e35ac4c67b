"""gzip for large answers, where the client accepts it.

Source: RFC 9110, section 12.5.3.
"""

import zlib

from starlette.middleware.gzip import GZipMiddleware

from service.api.accept import read_weight
from service.api.requests import read_headers
from service.http.asgi import ASGIApp, Receive, Reply, Scope, Send

_MIN_BYTES = 16_384  # compressing shorter answers costs more time than it saves
_LEVEL = 1
_WINDOW = 16 + zlib.MAX_WBITS
_HEADER = b"accept-encoding"
_MOST_CODINGS = 64  # further ones in the header have no effect


def compress(reply: Reply, accept_encoding: bytes | None) -> Reply:
    """Compresses a long answer, where the client accepts gzip.

    Args:
        reply: to be sent.
        accept_encoding: the request's header, or None.

    Returns:
        The answer, compressed or as it was.
    """
    if len(reply.body) < _MIN_BYTES or accept_encoding is None or not _accepts_gzip(accept_encoding):
        return reply
    deflater = zlib.compressobj(_LEVEL, wbits=_WINDOW)
    body = deflater.compress(reply.body) + deflater.flush()
    headers = [*reply.headers, (b"content-encoding", b"gzip"), (b"vary", b"Accept-Encoding")]
    return Reply(reply.status, body, reply.media_type, headers)


class CompressionMiddleware(GZipMiddleware):
    """Compresses long answers of an app. Its base compresses wherever the header has the word gzip, even with q=0.

    Args:
        app: its answers are compressed.
    """

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(app, minimum_size=_MIN_BYTES, compresslevel=_LEVEL)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        accepted = read_headers(scope).get(_HEADER)
        if accepted is not None:
            others = [header for header in scope["headers"] if header[0] != _HEADER]
            scope["headers"] = [*others, (_HEADER, b"gzip" if _accepts_gzip(accepted) else b"identity")]
        await super().__call__(scope, receive, send)


def _accepts_gzip(accept_encoding: bytes) -> bool:
    """Whether the weight of gzip, or that of ``*`` where gzip is not listed by name, is above 0."""
    weights: dict[bytes, float | None] = {}
    for listed in accept_encoding.lower().split(b",", _MOST_CODINGS)[:_MOST_CODINGS]:
        coding, _, parameters = listed.partition(b";")
        weights.setdefault(coding.strip(), read_weight(parameters))
    return bool(weights.get(b"gzip", weights.get(b"*")))
