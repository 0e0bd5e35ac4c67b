"""The cost of decoding a GIF, from its blocks (CompuServe, GIF89a, chapters 18 to 26).

::

    header  palette  [extensions, comments ...]  frame  one byte more, blocks of codes  [further frames ...]
                      └ Pillow reads each of their blocks     └ at most 12 bits a pixel
                        in Python

The decoder gets the header, the last control extension before the first frame, and at most so much of the frame as its
pixels can need.
"""

import struct

from imaging import limits
from imaging.bounds.cost import Cost
from imaging.errors import UnreadableError
from imaging.formats.gif import first_frame, palette_bytes

_SCREEN_BYTES, _FLAGS = 13, 10
_FRAME = struct.Struct("<BHHHHB")
_END = b"\0;"
_OPEN_S, _PIXEL_S = 90e-6, 14e-9


def measure_gif(data: bytes) -> Cost:
    """Estimates the cost of decoding a GIF's first frame.

    Args:
        data: the whole file.

    Returns:
        The cost, with the part of the file that a decoder needs.

    Raises:
        UnreadableError: there is no frame, or more data before it than any encoder writes.
    """
    if len(data) < _SCREEN_BYTES:
        raise UnreadableError("its header is broken (the file ends inside it)")
    start = _SCREEN_BYTES + palette_bytes(data[_FLAGS])
    control, frame = first_frame(data, start)
    if frame + _FRAME.size > len(data):
        raise UnreadableError("its header is broken (the file ends inside it)")
    _, _, _, width, height, flags = _FRAME.unpack_from(data, frame)
    most = width * height * limits.GIF_PIXEL_BYTES + limits.GIF_SPARE_BYTES
    stop = frame + _FRAME.size + palette_bytes(flags) + most
    if frame - start == len(control) and stop >= len(data):
        return Cost(data, _OPEN_S, _PIXEL_S)
    end = _END if stop < len(data) else b""
    return Cost(b"".join((data[:start], control, memoryview(data)[frame:stop], end)), _OPEN_S, _PIXEL_S)
