"""The six picture formats that are spoken, told apart by their first bytes.

A picture is opened by the plugin that its signature names, never by Pillow's search through everything it knows: no
other decoder is reachable, whatever a client sends, and the common case is spared the search.
"""

import io

from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from imaging.errors import UnreadableError

SPOKEN = "PNG, JPEG, WebP, BMP, GIF or TIFF"

_PLUGINS: dict[bytes, type[ImageFile]] = {
    b"\x89PNG": PngImageFile,
    b"\xff\xd8\xff\xe0": JpegImageFile,
    b"\xff\xd8\xff\xe1": JpegImageFile,
    b"GIF8": GifImageFile,
    b"II*\x00": TiffImageFile,
    b"MM\x00*": TiffImageFile,
    b"II+\x00": TiffImageFile,
    b"MM\x00+": TiffImageFile,
}


def open_picture(data: bytes) -> ImageFile:
    """Reads a picture's header; no pixel is decoded.

    Args:
        data: the whole file.

    Returns:
        The picture, lazily loaded, of its first frame.

    Raises:
        UnreadableError: not one of the spoken formats, or a broken header.
    """
    plugin = _PLUGINS.get(data[:4]) or _plugin_by_short_signature(data)
    try:
        return plugin(io.BytesIO(data))
    except Exception as error:
        raise UnreadableError(f"its header is broken ({_reason(error)})") from error


def load(picture: ImageFile) -> None:
    """Decodes a picture's pixels, in place.

    Raises:
        UnreadableError: the pixel data is truncated or broken.
    """
    try:
        picture.load()
    except Exception as error:
        raise UnreadableError(f"its pixels are truncated or broken ({_reason(error)})") from error


def _plugin_by_short_signature(data: bytes) -> type[ImageFile]:
    if data.startswith(b"\xff\xd8\xff"):
        return JpegImageFile
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return WebPImageFile
    if data.startswith(b"BM"):
        return BmpImageFile
    if not data:
        raise UnreadableError(f"it is empty; send the bytes of a {SPOKEN} file")
    raise UnreadableError(f"it is not a picture in a known format; send {SPOKEN}")


def _reason(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:120]
