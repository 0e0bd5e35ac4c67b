"""Reads the frame size in an AV1 bitstream's sequence header (AV1 Bitstream & Decoding Process Specification, 5.5)."""

from collections.abc import Iterable, Iterator

from imaging.errors import UnreadableError
from imaging.formats.bits import Bits

_SEQUENCE_HEADER = 1
_MOST_UNITS, _MOST_HEADERS = 10_000, 1000  # of one file; a long header takes 30 us
_HEADER_BYTES = 128  # more than the longest part before the frame size


def frame_sizes(streams: Iterable[bytes]) -> Iterator[tuple[int, int]]:
    """The largest (width, height) that each sequence header of a file's bitstreams allows.

    Args:
        streams: open bitstream units (OBUs), as in the file's items.

    Raises:
        UnreadableError: the units are broken, or too many.
    """
    units = headers = 0
    for stream in streams:
        at = 0
        while at < len(stream):
            units += 1
            head = stream[at]
            at += 2 if head & 4 else 1
            length = len(stream) - at
            if head & 2:
                length, at = _leb128(stream, at)
            is_header = head >> 3 & 15 == _SEQUENCE_HEADER
            headers += is_header
            if units > _MOST_UNITS or headers > _MOST_HEADERS:
                raise UnreadableError("its header is broken (too many units in its bitstreams)")
            if is_header:
                yield _frame_size(Bits(stream[at : at + min(length, _HEADER_BYTES)]))
            at += length


def _leb128(stream: bytes, at: int) -> tuple[int, int]:
    """(number, the offset after it)."""
    value = 0
    for index in range(8):
        if at + index >= len(stream):
            break
        byte = stream[at + index]
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return value, at + index + 1
    raise UnreadableError("its header is broken (a length in its bitstream)")


def _frame_size(bits: Bits) -> tuple[int, int]:
    bits.take(4)  # profile, still_picture
    if bits.take(1):  # reduced_still_picture_header
        bits.take(5)
    else:
        _skip_timing_and_operating_points(bits)
    width_bits, height_bits = bits.take(4) + 1, bits.take(4) + 1
    return bits.take(width_bits) + 1, bits.take(height_bits) + 1


def _skip_timing_and_operating_points(bits: Bits) -> None:
    delay_bits = 0
    if bits.take(1):  # timing_info_present_flag
        bits.take(64)
        if bits.take(1):  # equal_picture_interval
            bits.take_exp_golomb()
        if bits.take(1):  # decoder_model_info_present_flag
            delay_bits = bits.take(5) + 1
            bits.take(42)
    has_display_delay = bits.take(1)
    for _ in range(bits.take(5) + 1):
        bits.take(12)
        if bits.take(5) > 7:  # seq_level_idx
            bits.take(1)
        if delay_bits and bits.take(1):
            bits.take(2 * delay_bits + 1)
        if has_display_delay and bits.take(1):
            bits.take(4)
