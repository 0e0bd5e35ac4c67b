"""How the bytes of a picture become the pixels that a network takes: the only copy, for serving and training alike.

::

    bytes -> formats.open_picture -> admit(Header)
          -> picture.upright -> picture.plain -> fit.resize -> picture.flatten -> fit.pad -> uint8 [H, W, C]

:func:`read` is the front: a pure function of bytes and a :class:`Target`. Which thread runs it, and what a request may
cost, is decided by the caller (``service/decoding`` for requests).
"""

from imaging.errors import PictureError, TooManyPixelsError, UnreadableError
from imaging.header import Header, Limits
from imaging.reader import read
from imaging.target import Target

__all__ = ["Header", "Limits", "PictureError", "Target", "TooManyPixelsError", "UnreadableError", "read"]
