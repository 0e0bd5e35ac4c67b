"""Reads pixels from a JSON array, flat or nested, without a Python object for each number.

A usual parser would block every other thread for 0.1 s with the 3 million numbers of 1,024 small pictures in a flat
array, and for 0.7 s in a nested one. So the text is read in steps of one or two milliseconds::

    [[1,2,3],[4,5,6]] ─┬─ digits taken out ───> [[,,],[,,]]        -> the shape [2, 3]
                       └─ brackets taken out ─>   1,2,3 , 4,5,6    -> parsed step by step -> bytes
"""

import math

import numpy as np
import orjson
from numpy.typing import NDArray

from service.decoding.bounded_json import STEP_BYTES, NumberList
from service.errors import MalformedRequestError

_SKIPPED = b"0123456789. \t\r\n"
_NO_BRACKETS = bytes.maketrans(b"[]", b"  ")
_MOST_DIMENSIONS = 8


def read_json_pixels(numbers: NumberList, most: int, what: str) -> NDArray[np.uint8]:
    """Reads a JSON array of whole numbers from 0 to 255; other values are refused, never rounded or wrapped.

    Numbers may be written as 12.0, as Keras' ``img_to_array`` makes them.

    Args:
        numbers: the text of the array; it may be anything that a client sent.
        most: most numbers allowed.
        what: the subject of error messages.

    Returns:
        uint8, of the shape in which the array is nested; [0] for an empty array.

    Raises:
        MalformedRequestError: other values, more than ``most``, lists of different lengths at one level, or only 0.0
            and 1.0, which may be pixels that were divided by 255.
    """
    pixels, pieces, has_points = bytearray(), list[bytes](), False
    for step in numbers.steps():
        if len(step) > 2 * STEP_BYTES:
            raise MalformedRequestError(f"{what}: its data holds a number or a gap of more than {STEP_BYTES} bytes")
        has_points = has_points or b"." in step
        pieces.append(step.translate(None, _SKIPPED))
        # Brackets become blanks, so that digits on both sides of a bracket do not become one number.
        flat = step.translate(_NO_BRACKETS)
        try:
            pixels += _to_bytes(orjson.loads(b"[%b]" % flat))
        except (ValueError, TypeError):
            raise MalformedRequestError(f"{what}: its data must be a list of whole numbers from 0 to 255") from None
        if len(pixels) > most:
            raise MalformedRequestError(f"{what}: its shape needs {most} bytes, more are here")
    skeleton = b",".join(pieces)
    shape = _nesting(skeleton)
    if shape is None and skeleton.translate(None, b"[],"):
        raise MalformedRequestError(f"{what}: its data must be a list of whole numbers from 0 to 255")
    if shape is None:
        raise MalformedRequestError(f"{what}: its data is nested unevenly, or deeper than {_MOST_DIMENSIONS} lists")
    if has_points and np.frombuffer(pixels, np.uint8).max(initial=0) == 1:
        raise MalformedRequestError(f"{what}: its data is only 0.0 and 1.0; write pixels from 0 to 1 as 0 to 255")
    if len(pixels) == math.prod(shape):
        return np.frombuffer(pixels, np.uint8).reshape(shape)
    # The skeleton of an empty list is that of a list of one number.
    if pixels:
        raise MalformedRequestError(f"{what}: its data holds empty lists beside others")
    return np.empty(0, np.uint8)


def _to_bytes(numbers: list[float]) -> bytes:
    """Whole numbers as bytes, also where they are floats.

    Raises:
        ValueError: others.
        TypeError: something else is among them.
    """
    try:
        return bytes(numbers)  # type: ignore[arg-type]  # floats raise TypeError
    except TypeError:
        values = np.array(numbers, np.float64)
    if not ((values >= 0) & (values <= 255) & (values == np.trunc(values))).all():
        raise ValueError
    return values.astype(np.uint8).tobytes()


def _nesting(skeleton: bytes) -> tuple[int, ...] | None:
    """The lengths of the lists, from the outermost to the innermost; None where lists of one level differ.

    Args:
        skeleton: brackets and commas. An empty list cannot be told from a list of one number.
    """
    depth = len(skeleton) - len(skeleton.lstrip(b"["))
    if not 0 < depth <= _MOST_DIMENSIONS:
        return None
    shape: list[int] = []
    item = b""  # the element that repeats at the current level; innermost elements are numbers, which are removed
    for level in range(depth, 0, -1):
        end = skeleton.find(b"]" * (depth - level + 1), level)
        if end < 0:
            return None
        inside_bytes = end + depth - level - level
        count = (inside_bytes + 1) // (len(item) + 1)
        item = b"[%b]" % ((item + b",") * count)[:-1]
        shape.append(count)
    return tuple(reversed(shape)) if item == skeleton else None
