"""Counts the parts of a serialised ModelInferRequest before it is parsed.

A parser makes an object for each part of a message, and takes eight bytes for each number: eight million empty inputs
have 16 MB serialised, but a gigabyte in memory.

Source: https://protobuf.dev/programming-guides/encoding/.
"""

from typing import Final

from network.wire_format import BYTES, FIXED_SIZES, VARINT, read_varint
from service.errors import MalformedRequestError, TooLargeError

_INPUTS, _OUTPUTS, _CONTENTS, _SHAPE, _BYTES_CONTENTS = 5, 6, 5, 3, 8
# The nested messages whose parts are counted, by the path of fields to them.
_NESTED: Final = {(): (_INPUTS, _OUTPUTS), (_INPUTS,): (_CONTENTS,)}
_MOST_NUMBER_BYTES: Final = 1 << 20


def check_parts(message: bytes, most: int) -> None:
    """Checks how much there is to parse.

    Args:
        message: a serialised ModelInferRequest.
        most: most parts, that is, fields of the message, of its inputs and outputs, and of their contents.

    Raises:
        TooLargeError: there are more, or its numbers outside ``raw_input_contents`` take more than 1 MiB.
        MalformedRequestError: it is not a protobuf message.
    """
    try:
        _count_parts(message, most)
    except ValueError:
        raise MalformedRequestError("the message is not a ModelInferRequest") from None


def _count_parts(message: bytes, most: int) -> None:
    parts = number_bytes = 0
    left: list[tuple[tuple[int, ...], int, int]] = [((), 0, len(message))]
    while left:
        path, place, end = left.pop()
        nested = _NESTED.get(path, ())
        while place < end:
            parts += 1
            if parts > most:
                raise TooLargeError(f"the message has more than {most} parts")
            key, place = read_varint(message, place, end)
            field, kind = key >> 3, key & 7
            if kind == VARINT:
                _, place = read_varint(message, place, end)
                continue
            size = FIXED_SIZES.get(kind, 0)
            if kind == BYTES:
                size, place = read_varint(message, place, end)
            if (not size and kind != BYTES) or size > end - place:
                raise ValueError("a value ends after its message, or is of no known kind")
            if kind == BYTES and field in nested:
                left.append(((*path, field), place, place + size))
            elif (path, field) == ((_INPUTS,), _SHAPE) or (path == (_INPUTS, _CONTENTS) and field != _BYTES_CONTENTS):
                number_bytes += size
                if number_bytes > _MOST_NUMBER_BYTES:
                    raise TooLargeError(
                        f"the numbers of the message take more than {_MOST_NUMBER_BYTES} bytes; "
                        "send them as raw_input_contents"
                    )
            place += size
