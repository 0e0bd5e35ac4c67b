"""The picture formats that are read, one module each, and nothing else that Pillow knows.

A picture is opened by the module that its first bytes name (``signature``), never by Pillow's search through
everything it knows: no other decoder is reachable, whatever is sent, and the common case is spared the search.

::

    bytes -> signature.kind_of -> FORMATS[kind].read_header -> limits -> FORMATS[kind].decode -> Pillow image

``read_header`` touches no codec. ``decode`` yields the first frame in any of Pillow's modes, as stored; what makes a
pixel transparent is in its alpha channel or its palette, whatever the file says it with.
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
    """How one format is read.

    Attributes:
        read_header: of a whole file; raises ``UnreadableError`` where it is broken.
        decode: the file, what its header says, and the target that the picture is for; raises ``UnreadableError``
            where the pixel data is truncated or broken.
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
