"""The cost of decoding an AVIF or HEIC; no header of their codecs, AV1 and HEVC, shows how much a block costs.

The estimate is that of a photograph, whose bytes take longer than its pixels. More bytes than photographs have do not
raise the estimate, because such a file would be noise.
"""

from imaging.bounds.cost import Cost
from imaging.formats.boxes import read_container

_OPEN_S = 300e-6
_AV1_BYTE_S, _AV1_MOST_BYTES = 60e-9, 0.35  # the second is in bytes per pixel
_AV1_PIXEL_S, _AV1_FULL_PIXEL_S, _AV1_DEEP = (
    12e-9,
    18e-9,
    1.8,
)  # with colours at half and at full size; factor for 10 or 12 bits
_HEVC_BYTE_S, _HEVC_MOST_BYTES, _HEVC_PIXEL_S = 90e-9, 0.9, 20e-9
_CONFIGURATION, _SEARCHED_BYTES = b"av1C", 1 << 16
_DEEP, _HALF_SIZE = 0x40, 0x08  # flags in AV1's configuration


def measure_avif(data: bytes) -> Cost:
    """Estimates the cost of decoding the pictures of an AVIF.

    Args:
        data: the whole file.

    Raises:
        UnreadableError: its boxes are broken, or too many.
    """
    at = data.find(_CONFIGURATION, 0, _SEARCHED_BYTES)
    flags = data[at + 6] if 0 <= at < len(data) - 6 else 0
    times = _AV1_DEEP if flags & _DEEP else 1.0
    pixel_s = _AV1_PIXEL_S if flags & _HALF_SIZE else _AV1_FULL_PIXEL_S
    return _cost(data, times * _AV1_BYTE_S, _AV1_MOST_BYTES, times * pixel_s)


def measure_heif(data: bytes) -> Cost:
    """Estimates the cost of decoding the pictures of a HEIC.

    Args:
        data: the whole file.

    Raises:
        UnreadableError: its boxes are broken, or too many.
    """
    return _cost(data, _HEVC_BYTE_S, _HEVC_MOST_BYTES, _HEVC_PIXEL_S)


def _cost(data: bytes, byte_s: float, most_bytes: float, pixel_s: float) -> Cost:
    container = read_container(data)
    pixels = max(width * height for width, height in container.sizes)
    work_s = _OPEN_S + min(len(data), pixels * most_bytes) * byte_s
    return Cost(data, work_s, pixel_s, is_bounded=False, profile=container.profile)
