"""Writes pixels as PNG, and PNG as a data URL for JSON."""

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

PNG = b"image/png"


def write_png(pixels: NDArray[np.uint8]) -> bytes:
    """Writes a picture.

    Args:
        pixels: uint8 [H, W], or [H, W, C] with C 1 (grey), 3 (RGB) or 4 (RGBA).
    """
    stream = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels).save(stream, "PNG")
    return stream.getvalue()


def data_url(png: bytes) -> str:
    """The picture as a data URL (RFC 2397)."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
