"""Reads the frame size in an HEVC bitstream's sequence parameter sets (ITU-T H.265, 7.3.2.2)."""

import struct
from collections.abc import Iterator

from imaging.errors import UnreadableError
from imaging.formats.bits import Bits

_SEQUENCE_PARAMETERS = 33
_MOST_UNITS = 10_000
_HEADER_BYTES = 256  # more than the longest part before the frame size
_LEVEL_BITS = {(1, 0): 88, (0, 1): 8, (1, 1): 96, (0, 0): 0}


def frame_sizes_of_configuration(content: bytes) -> Iterator[tuple[int, int]]:
    """(width, height) of each sequence parameter set in an ``hvcC`` box (ISO/IEC 14496-15, 8.3.3)."""
    at = 23
    for _ in range(content[22]):
        (count,) = struct.unpack_from(">H", content, at + 1)
        at += 3
        for _ in range(count):
            (length,) = struct.unpack_from(">H", content, at)
            yield from _size_of_unit(content[at + 2 : at + 2 + length])
            at += 2 + length


def frame_sizes(stream: bytes) -> Iterator[tuple[int, int]]:
    """(width, height) of each sequence parameter set in an item; each unit of the item begins with its length."""
    at = 0
    for _ in range(_MOST_UNITS):
        if at + 4 > len(stream):
            return
        (length,) = struct.unpack_from(">I", stream, at)
        yield from _size_of_unit(stream[at + 4 : at + 4 + min(length, _HEADER_BYTES)])
        at += 4 + length
    raise UnreadableError("its header is broken (too many units in its bitstream)")


def _size_of_unit(unit: bytes) -> Iterator[tuple[int, int]]:
    if len(unit) < 2:
        return
    kind, layer = unit[0] >> 1 & 63, (unit[0] & 1) << 5 | unit[1] >> 3
    if kind == _SEQUENCE_PARAMETERS and layer == 0:  # the codec ignores other layers
        yield _frame_size(Bits(unit[2:_HEADER_BYTES].replace(b"\0\0\3", b"\0\0")))


def _frame_size(bits: Bits) -> tuple[int, int]:
    bits.take(4)
    sub_layers = bits.take(3)  # their number minus 1
    bits.take(1 + 96)  # nesting; profile, tier and level
    flags = [(bits.take(1), bits.take(1)) for _ in range(sub_layers)]
    if sub_layers:
        bits.take(2 * (8 - sub_layers))
    for flag in flags:
        bits.take(_LEVEL_BITS[flag])
    bits.take_exp_golomb()  # id of the parameter set
    if bits.take_exp_golomb() == 3:  # chroma format 4:4:4
        bits.take(1)
    return bits.take_exp_golomb(), bits.take_exp_golomb()
