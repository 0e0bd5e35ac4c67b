"""Decompresses bodies as the ``Content-Encoding`` header says.

Sources: RFC 9110, section 8.4 (names in any case, x-gzip), RFC 1952 (a gzip file may have several members).
"""

import asyncio
import io
import zlib

from service.errors import MalformedRequestError, TooLargeError, UnsupportedMediaTypeError

_WINDOWS = {b"gzip": 16 + zlib.MAX_WBITS, b"x-gzip": 16 + zlib.MAX_WBITS, b"deflate": zlib.MAX_WBITS}
_LOOP_BYTES = 4096  # inflated at most a thousandfold, which takes some milliseconds
_STEP_BYTES = 65_536
_STEP_PLAIN_BYTES = 1 << 20
_MOST_MEMBERS = 1024


async def decode_content(body: bytes, header: bytes | None, max_bytes: int) -> bytes:
    """Decompresses a body. Long ones are decompressed in a thread, where zlib does not hold Python's global lock.

    Args:
        body: the body as it was sent.
        header: the value of ``Content-Encoding``, or None.
        max_bytes: longest body once inflated.

    Returns:
        The body itself where it is not compressed.

    Raises:
        UnsupportedMediaTypeError: a coding other than gzip, deflate or identity.
        MalformedRequestError: the compressed data is broken.
        TooLargeError: it would be longer than allowed.
    """
    coding = b"" if header is None else header.strip().lower()
    if coding in (b"", b"identity"):
        return body
    if coding not in _WINDOWS:
        raise UnsupportedMediaTypeError(
            f"Content-Encoding {coding[:32].decode('latin-1')!r}; gzip, deflate or none is accepted"
        )
    if len(body) <= _LOOP_BYTES:
        return inflate(body, coding, max_bytes)
    return await asyncio.to_thread(inflate, body, coding, max_bytes)


def inflate(body: bytes, coding: bytes, max_bytes: int) -> bytes:
    """Inflates a body; the arguments and errors are those of :func:`decode_content`."""
    name = coding.decode()
    plain = io.BytesIO()  # gives its bytes away without a copy, which would hold the global lock
    room_bytes, start, members = max_bytes, 0, 0
    while start < len(body) or not members:
        members += 1
        if members > 1 and (coding == b"deflate" or members > _MOST_MEMBERS):
            raise MalformedRequestError(f"the {name} body is truncated, or something follows it")
        inflater = zlib.decompressobj(_WINDOWS[coding])
        is_full = False
        while not inflater.eof and (start < len(body) or is_full):
            step, most = body[start : start + _STEP_BYTES], min(_STEP_PLAIN_BYTES, room_bytes + 1)
            try:
                written = plain.write(inflater.decompress(step, most))
            except zlib.error:
                raise MalformedRequestError(f"the body is not {name}, or something follows it") from None
            room_bytes -= written
            if room_bytes < 0:
                raise TooLargeError(f"the body is longer than the {max_bytes} bytes allowed, once inflated")
            is_full = written == most
            start += len(step) - len(inflater.unconsumed_tail) - len(inflater.unused_data)
        if not inflater.eof:
            raise MalformedRequestError(f"the {name} body is truncated, or something follows it")
    return plain.getvalue()
