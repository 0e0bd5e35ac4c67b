"""HEIC (ISO/IEC 23008-12 with HEVC), the format of phones; needs the optional package ``pi-heif``, which only decodes.

The package is imported when the first picture is decoded, which takes 40 ms, or before by :func:`decoder`. The service
decodes HEIC in child processes, so its main process never imports it.
"""

import io
from functools import cache
from importlib.util import find_spec
from typing import Any, Final

from PIL import Image

from imaging.errors import UnreadableError
from imaging.formats import hevc
from imaging.formats.boxes import padding_bytes, read_container
from imaging.formats.codec import Reading
from imaging.formats.orientation import APPLIED
from imaging.header import Header
from imaging.target import Target

IS_INSTALLED: Final = find_spec("pi_heif") is not None
_MISSING: Final = (
    "it is a HEIC picture, read only where the package pi-heif is installed (extra `heif`); send JPEG or PNG"
)
BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"})


def read_header(data: bytes) -> Header:
    """Reads the largest size that the boxes or the bitstreams declare.

    Raises:
        UnreadableError: they are broken, there is no still picture, or the decoder is not installed.
    """
    if not IS_INSTALLED:
        raise UnreadableError(_MISSING)
    container = read_container(data)
    with Reading("its header is broken"):
        streams = (stream for kind, stream in container.items if kind in {b"hvc1", b"hev1"})
        sizes = [*container.sizes, *hevc.frame_sizes(container.configurations, streams)]
    width, height = max(sizes, key=lambda size: size[0] * size[1])
    # Planes of up to 16 bits, and the pixels made of them.
    return Header("HEIF", width, height, codec_bytes=padding_bytes(width, height), pixel_bytes=16)


def decode(data: bytes, _header: Header, _target: Target) -> Image.Image:
    """Decodes the primary picture; the codec rotates it as its boxes declare.

    Raises:
        UnreadableError: it is truncated or broken.
    """
    pi_heif = decoder()
    with Reading("its pixels are truncated or broken"):
        file = pi_heif.open_heif(io.BytesIO(data), convert_hdr_to_8bit=True)
        picture = Image.frombytes(file.mode, file.size, file.data, "raw", file.mode, file.stride)
    container = read_container(data)
    picture.info[APPLIED] = container.orientation
    if profile := file.info.get("icc_profile") or container.profile:
        picture.info["icc_profile"] = profile
    return picture


@cache
def decoder() -> Any:
    """Imports the package, and turns off its threads and its decoding of thumbnails and other extra images.

    Raises:
        UnreadableError: it is installed, but cannot be imported.
    """
    try:
        import pi_heif  # noqa: PLC0415  see above
    except ImportError as error:
        raise UnreadableError(_MISSING) from error
    pi_heif.options.DECODE_THREADS = 1
    pi_heif.options.THUMBNAILS = pi_heif.options.DEPTH_IMAGES = pi_heif.options.AUX_IMAGES = False
    return pi_heif
