"""How the bytes of a picture become the pixels that a network takes: the only copy, for serving and training alike.

::

    bytes -> formats.open_picture -> picture.upright -> picture.plain -> fit.resize -> picture.flatten -> fit.pad

Pure functions of bytes and a :class:`Target`. Which thread runs them, and what a request may cost, is decided by the
caller (``service/decoding`` for requests).
"""

from imaging.formats import UnreadableError
from imaging.target import Target

__all__ = ["Target", "UnreadableError"]
