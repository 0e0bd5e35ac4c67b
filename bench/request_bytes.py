"""Requests as bytes, for clients that write to sockets themselves; and arrays as bodies."""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray


def request_bytes(path: str, body: bytes, media_type: str, *fields: str) -> bytes:
    """A whole POST request of HTTP/1.1.

    Args:
        path: with its query.
        body: whole.
        media_type: of the body.
        fields: further ones of the head, as ``Connection: close``.
    """
    length = f"Content-Length: {len(body)}"
    lines = (f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Type: {media_type}", length, *fields, "", "")
    return "\r\n".join(lines).encode() + body


def npy_bytes(array: NDArray[Any]) -> bytes:
    """An array as a file in npy format."""
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()
