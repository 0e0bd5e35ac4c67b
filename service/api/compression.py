"""gzip for large answers, where the client accepts it."""

import zlib

from service.http.asgi import Reply

MIN_BYTES = 16_384  # compressing shorter answers costs more time than it saves
LEVEL = 1
_WINDOW = 16 + zlib.MAX_WBITS


def compress(reply: Reply, accept_encoding: bytes | None) -> Reply:
    """Compresses a long answer, where the client accepts gzip.

    Args:
        reply: to be sent.
        accept_encoding: the request's header, or None.

    Returns:
        The answer, compressed or as it was.
    """
    if len(reply.body) < MIN_BYTES or accept_encoding is None or not _accepts_gzip(accept_encoding):
        return reply
    deflater = zlib.compressobj(LEVEL, wbits=_WINDOW)
    body = deflater.compress(reply.body) + deflater.flush()
    headers = [*reply.headers, (b"content-encoding", b"gzip"), (b"vary", b"Accept-Encoding")]
    return Reply(reply.status, body, reply.media_type, headers)


def _accepts_gzip(accept_encoding: bytes) -> bool:
    for coding in accept_encoding.lower().split(b","):
        name, _, weight = coding.partition(b";")
        if name.strip() in (b"gzip", b"*"):
            return weight.replace(b" ", b"") not in (b"q=0", b"q=0.0", b"q=0.00", b"q=0.000")
    return False
