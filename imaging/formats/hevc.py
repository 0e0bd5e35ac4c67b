"""Reads the frame size in an HEVC bitstream's sequence parameter sets (ITU-T H.265, 7.3.2.2)."""

import struct
from collections.abc import Iterable, Iterator
from itertools import chain

from imaging.errors import UnreadableError
from imaging.formats.bits import Bits

_SEQUENCE_PARAMETERS = 33
_MOST_UNITS, _MOST_SETS = 10_000, 1000  # of one file; a parameter set takes about 10 us
_HEADER_BYTES = 256  # more than the longest part before the frame size
_LEVEL_BITS = {(1, 0): 88, (0, 1): 8, (1, 1): 96, (0, 0): 0}


def frame_sizes(configurations: Iterable[bytes], streams: Iterable[bytes]) -> Iterator[tuple[int, int]]:
    """(width, height) of each sequence parameter set of a file.

    Args:
        configurations: contents of its ``hvcC`` boxes.
        streams: its items.

    Raises:
        UnreadableError: a parameter set is broken, or there are too many units.
    """
    units = chain(map(_units_of_configuration, configurations), map(_units, streams))
    sets = 0
    for count, unit in enumerate(chain.from_iterable(units)):
        is_set = _is_parameter_set(unit)
        sets += is_set
        if count >= _MOST_UNITS or sets > _MOST_SETS:
            raise UnreadableError("its header is broken (too many units in its bitstreams)")
        if is_set:
            yield _frame_size(Bits(unit[2:_HEADER_BYTES].replace(b"\0\0\3", b"\0\0")))


def _units_of_configuration(content: bytes) -> Iterator[bytes]:
    """The units in an ``hvcC`` box (ISO/IEC 14496-15, 8.3.3)."""
    at = 23
    for _ in range(content[22]):
        (count,) = struct.unpack_from(">H", content, at + 1)
        at += 3
        for _ in range(count):
            (length,) = struct.unpack_from(">H", content, at)
            yield content[at + 2 : at + 2 + length]
            at += 2 + length


def _units(stream: bytes) -> Iterator[bytes]:
    """The beginning of each unit of an item, where a unit begins with its length."""
    at = 0
    while at + 4 <= len(stream):
        (length,) = struct.unpack_from(">I", stream, at)
        yield stream[at + 4 : at + 4 + min(length, _HEADER_BYTES)]
        at += 4 + length


def _is_parameter_set(unit: bytes) -> bool:
    """Whether a unit is a sequence parameter set of the first layer; the codec ignores other layers."""
    if len(unit) < 2:
        return False
    kind, layer = unit[0] >> 1 & 63, (unit[0] & 1) << 5 | unit[1] >> 3
    return kind == _SEQUENCE_PARAMETERS and layer == 0


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
