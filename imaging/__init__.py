"""How the bytes of a picture become the pixels that a network takes: the only copy, for serving and training alike.

::

    bytes -> signature.kind_of -> bounds.measure -> formats: read_header -> admit(header, target)
          -> formats: decode -> orientation -> picture.plain -> fit.resize -> color_profile -> picture.flatten
          -> fit.pad -> uint8 [H, W, C]

:func:`read` is the front: a pure function of bytes and a :class:`Target`. Which thread runs it, and what a request may
cost, is decided by the caller (``service/decoding`` for requests).
"""

from imaging.errors import PictureError, TooManyPixelsError, TooSlowError, UnreadableError
from imaging.fast_png import FastPng, fast_png
from imaging.header import Header, Limits, decoded_bytes
from imaging.meter import most_cpu_s, slowness
from imaging.observation import Observation
from imaging.reader import Examined, decode, examine, read
from imaging.target import Target

__all__ = [
    "Examined",
    "FastPng",
    "Header",
    "Limits",
    "Observation",
    "PictureError",
    "Target",
    "TooManyPixelsError",
    "TooSlowError",
    "UnreadableError",
    "decode",
    "decoded_bytes",
    "examine",
    "fast_png",
    "most_cpu_s",
    "read",
    "slowness",
]
