"""The part of protobuf's wire format that is needed to read messages without parsing them.

Source: https://protobuf.dev/programming-guides/encoding/.
"""

from typing import Final

VARINT: Final = 0
FIXED_64: Final = 1
BYTES: Final = 2
FIXED_32: Final = 5
FIXED_SIZES: Final = {FIXED_64: 8, FIXED_32: 4}
"""Length of values of fixed length, in bytes, by wire type."""

_MOST_BITS: Final = 64


def read_varint(data: bytes | memoryview, place: int, end: int) -> tuple[int, int]:
    """Reads a whole number.

    Args:
        data: bytes that contain it.
        place: offset of its first byte.
        end: offset at which the data ends.

    Returns:
        The number, and the offset after it.

    Raises:
        ValueError: it is truncated, or longer than a number can be.
    """
    value = shift = 0
    while place < end and shift < _MOST_BITS:
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7
    raise ValueError("a number is cut short, or too long")
