"""The supported picture formats, one module each; Pillow's other formats are never used.

A picture is opened by the module that its first bytes select (``signature``), and not by Pillow's search through all
of its formats. So no file can reach another decoder, and no time is spent on the search.

::

    bytes -> signature.kind_of -> FORMATS[kind].read_header -> limits -> FORMATS[kind].decode -> Pillow image

``read_header`` uses no codec. ``decode`` returns the first frame in any of Pillow's modes, rotated only where its
``info`` says so (``orientation.APPLIED``); transparency is in its alpha channel or its palette.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from PIL import Image

from imaging.formats import avif, bmp, gif, heif, jpeg, png, tiff, webp
from imaging.formats.codec_messages import silence_codecs
from imaging.header import Header
from imaging.target import Target

silence_codecs()


class Format(NamedTuple):
    """The functions that read one format.

    Attributes:
        read_header: takes a whole file; raises ``UnreadableError`` where its header is broken.
        decode: takes the file, its header, and the target of the picture; raises ``UnreadableError`` where the pixel
            data is truncated or broken.
    """

    read_header: Callable[[bytes], Header]
    decode: Callable[[bytes, Header, Target], Image.Image]


FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "PNG": Format(png.read_header, png.decode),
        "JPEG": Format(jpeg.read_header, jpeg.decode),
        "WEBP": Format(webp.read_header, webp.decode),
        "GIF": Format(gif.read_header, gif.decode),
        "BMP": Format(bmp.read_header, bmp.decode),
        "TIFF": Format(tiff.read_header, tiff.decode),
        "AVIF": Format(avif.read_header, avif.decode),
        "HEIF": Format(heif.read_header, heif.decode),
    }
)
