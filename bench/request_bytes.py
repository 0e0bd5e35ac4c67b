"""Makes requests as bytes, for clients that write to sockets directly, and pictures and arrays as bodies."""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def request_bytes(path: str, body: bytes, media_type: str, *fields: str) -> bytes:
    """A whole POST request of HTTP/1.1.

    Args:
        path: with its query.
        body: the whole body.
        media_type: of the body.
        fields: further header lines, such as ``Connection: close``.
    """
    length = f"Content-Length: {len(body)}"
    lines = (f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Type: {media_type}", length, *fields, "", "")
    return "\r\n".join(lines).encode() + body


def picture_bytes(picture: Image.Image, kind: str, **options: Any) -> bytes:
    """A picture as a file.

    Args:
        picture: any.
        kind: the file's format, as Pillow names it.
        options: of Pillow's encoder.
    """
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def npy_bytes(array: NDArray[Any]) -> bytes:
    """An array as a file in npy format."""
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()
