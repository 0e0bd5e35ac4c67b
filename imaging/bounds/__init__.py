"""Estimates the cost of decoding a file from its headers, before a pixel is decoded, and limits it.

::

    bytes -> measure(kind) -> Cost(the bytes that a decoder needs, CPU time) -> the caller's limits -> decoding
               │ counts scans, segments, chunks, strips ...                              └ ended by the meter if
               └ UnreadableError: more of them than any encoder writes                     it takes far too long

Each format has a small scanner. It uses no number of a file before it has compared it with the length of the file, and
takes no longer than decoding. Its limits are in :mod:`imaging.limits`.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from imaging.bounds.bmp_pixels import measure_bmp
from imaging.bounds.coded_pictures import measure_avif, measure_heif
from imaging.bounds.cost import Cost
from imaging.bounds.gif_blocks import measure_gif
from imaging.bounds.jpeg_scans import measure_jpeg
from imaging.bounds.png_chunks import measure_png
from imaging.bounds.tiff_strips import measure_tiff
from imaging.bounds.webp_chunks import measure_webp

__all__ = ["Cost", "measure"]

_SCANNERS: Mapping[str, Callable[[bytes], Cost]] = MappingProxyType(
    {
        "AVIF": measure_avif,
        "BMP": measure_bmp,
        "GIF": measure_gif,
        "HEIF": measure_heif,
        "JPEG": measure_jpeg,
        "PNG": measure_png,
        "TIFF": measure_tiff,
        "WEBP": measure_webp,
    }
)


def measure(kind: str, data: bytes) -> Cost:
    """Reads a file's headers.

    Args:
        kind: the file's format, as :attr:`imaging.header.Header.kind` names it.
        data: the whole file.

    Returns:
        The cost of decoding it.

    Raises:
        UnreadableError: its headers are broken, or cause more work than those of any encoder of the format.
    """
    return _SCANNERS[kind](data)
