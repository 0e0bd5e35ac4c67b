"""Decodes the bytes of a picture to the pixels that a network takes; serving and training both use this package.

::

    bytes -> signature.kind_of -> bounds.measure -> formats: read_header -> admit(header, target)
          -> formats: decode -> orientation -> picture.plain -> fit.resize -> color_profile -> picture.flatten
          -> fit.pad -> uint8 [H, W, C]

:func:`read` is the main function, a pure function of bytes and a :class:`Target`. The caller chooses the thread and the
limits (``service/decoding`` for requests).
"""

from imaging.errors import PictureError, TooManyPixelsError, TooSlowError, UnreadableError
from imaging.fast_png import FastPng, fast_png
from imaging.header import Header, Limits, decoded_bytes
from imaging.meter import most_cpu_s, slowness
from imaging.observation import Observation
from imaging.reader import Examined, decode, examine, prepare, read
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
    "prepare",
    "read",
    "slowness",
]
