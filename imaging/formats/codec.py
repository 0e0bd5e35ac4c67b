"""Opens and decodes pictures with Pillow; any exception of its codecs becomes an error that says what is wrong."""

import io

from PIL.ImageFile import ImageFile

from imaging.errors import PictureError, UnreadableError
from imaging.header import Header
from imaging.meter import METERED_BYTES, MeteredFile

_MOST_REASON = 120  # characters of a codec's own message


class Reading:
    """Turns any exception of a parser or codec inside a ``with`` into an :class:`UnreadableError`.

    A ``MemoryError`` stays as it is: the size of a picture was checked before, so this machine is short of memory.

    Args:
        part: beginning of the message: "its header is broken".
    """

    __slots__ = ("_part",)

    def __init__(self, part: str) -> None:
        self._part = part

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, Exception) and not isinstance(error, PictureError | MemoryError):
            raise UnreadableError(f"{self._part}{_reason(error)}") from error


def _reason(error: Exception) -> str:
    """Pillow's own message; messages of Python errors inside a parser are left out, because they help no client."""
    said = error.args[0] if isinstance(error, OSError | SyntaxError | ValueError) and error.args else ""
    lines = said.splitlines() if isinstance(said, str) else []
    return f" ({lines[0][:_MOST_REASON]})" if lines else ""


def open_with(plugin: type[ImageFile], data: bytes, header: Header) -> ImageFile:
    """Opens a file with one of Pillow's plugins; its first frame is decoded later, by :func:`load`.

    Raises:
        UnreadableError: the header is broken, or the codec reads a larger size from it than the size that was checked
            against the limits. Later, while it is decoded: the header's meter ends it.
    """
    with Reading("its header is broken"):
        picture = plugin(io.BytesIO(data) if header.meter is None else MeteredFile(data, header.meter))
    if picture.width * picture.height > header.pixels:
        raise UnreadableError("its header contradicts itself about the picture's size")
    picture.decodermaxblock = METERED_BYTES
    return picture


def load(picture: ImageFile) -> None:
    """Decodes a picture's pixels, in place.

    Raises:
        UnreadableError: the pixel data is truncated or broken.
    """
    with Reading("its pixels are truncated or broken"):
        picture.load()
