"""Tensors of the protocol: reads pictures from inputs, and writes outputs."""

import math
import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.classifier import Images
from service.decoding import LongText, NumberList, Target, Upload, read_base64, read_json_pixels
from service.errors import MalformedRequestError
from service.limits import check_count

IMAGE = "image"
ENCODED = "encoded"

_LENGTH = struct.Struct("<I")


class InputTensor(NamedTuple):
    """A tensor that a client sent.

    Attributes:
        name: of the input.
        datatype: its name in the protocol.
        shape: as declared by the client.
        raw: its elements, row-major and little-endian; BYTES with a 4-byte length before each. None where the elements
            are in ``numbers`` or ``values``.
        numbers: its elements as JSON text, nested or flat, not yet checked.
        values: its elements, flat: whole numbers, bytes, or files in base64, each of which may be in a list.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]
    raw: bytes | memoryview | None = None
    numbers: NumberList | None = None
    values: Sequence[Any] = ()


class OutputTensor(NamedTuple):
    """A tensor of an answer.

    Attributes:
        name: of the output.
        datatype: FP32 or BYTES.
        shape: of the tensor.
        elements: float32 of that shape, or one text per element.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]
    elements: NDArray[np.float32] | list[str]

    def raw(self) -> bytes:
        """The elements in the protocol's binary form."""
        if isinstance(self.elements, np.ndarray):
            return self.elements.astype("<f4", copy=False).tobytes()
        texts = [text.encode() for text in self.elements]
        return b"".join(_LENGTH.pack(len(text)) + text for text in texts)

    def flat(self) -> NDArray[np.float32] | list[str]:
        """The elements in row-major order."""
        return self.elements.ravel() if isinstance(self.elements, np.ndarray) else self.elements


def read_images(tensor: InputTensor, target: Target, max_images: int) -> Images:
    """Takes the pictures out of an input.

    Args:
        tensor: ``image`` (UINT8 [N, H, W, C]) or ``encoded`` (BYTES [N]).
        target: the input that the model needs.
        max_images: most pictures allowed.

    Returns:
        Pixels uint8 [N, H, W, C], a view where they were sent as raw bytes, or files to decode.

    Raises:
        MalformedRequestError: another name, datatype, shape or length; the message says what is allowed.
        InvalidImagesError: a text is not base64.
        TooLargeError: more than ``max_images``.
    """
    if tensor.name not in (IMAGE, ENCODED):
        raise MalformedRequestError(f"there is no input {tensor.name[:64]!r}; send {IMAGE} or {ENCODED}")
    pixels = tensor.name == IMAGE
    wanted_type, wanted_shape = ("UINT8", target.shape) if pixels else ("BYTES", ())
    shape = tensor.shape
    # Some clients send [N, 1] instead of [N].
    suits = len(shape) >= 1 and (shape[1:] == wanted_shape or (not pixels and shape[1:] == (1,)))
    if tensor.datatype != wanted_type or not suits or shape[0] < 1:
        raise MalformedRequestError(
            f"input {tensor.name} is {tensor.datatype[:16]} {list(shape[:8])}; "
            f"this model takes {wanted_type} [{', '.join(map(str, ('N', *wanted_shape)))}]"
        )
    check_count(shape[0], max_images)
    return _read_pixels(tensor) if pixels else _read_files(tensor)


def _read_pixels(tensor: InputTensor) -> NDArray[np.uint8]:
    size = math.prod(tensor.shape)
    if tensor.raw is not None:
        array = np.frombuffer(tensor.raw, np.uint8)
    elif tensor.numbers is not None:
        array = read_json_pixels(tensor.numbers, size, f"input {tensor.name}")
        if array.ndim > 1 and array.shape != tensor.shape:
            raise MalformedRequestError(
                f"input {tensor.name}: its data is nested as {list(array.shape)}, its shape is {list(tensor.shape)}"
            )
    else:
        array = _from_numbers(tensor)
    if array.size != size:
        raise MalformedRequestError(
            f"input {tensor.name}: its shape {list(tensor.shape)} needs {size} bytes, {array.size} are here"
        )
    return array.reshape(tensor.shape)


def _from_numbers(tensor: InputTensor) -> NDArray[np.uint8]:
    try:
        if all(type(value) is int for value in tensor.values):  # bytes() takes true for 1
            return np.frombuffer(bytes(tensor.values), np.uint8)
    except ValueError:
        pass
    raise MalformedRequestError(f"input {tensor.name}: its data must be whole numbers from 0 to 255")


def _read_files(tensor: InputTensor) -> list[Upload]:
    count = tensor.shape[0]
    if tensor.raw is not None:
        return [Upload(file) for file in _split(tensor.raw, count)]
    if tensor.numbers is not None:
        raise MalformedRequestError(f"input {tensor.name}: its data must be text, each a file in base64")
    values = tensor.values
    if all(isinstance(value, list) and len(value) == 1 for value in values):
        values = [value[0] for value in values]
    if len(values) != count:
        raise MalformedRequestError(f"input {tensor.name}: its shape promises {count} files, {len(values)} are here")
    if all(isinstance(value, bytes) for value in values):
        return [Upload(value) for value in values]
    if not all(isinstance(value, str | LongText) for value in values):
        raise MalformedRequestError(f"input {tensor.name}: its data must be text, each a file in base64")
    return read_base64(values)


def _split(raw: bytes | memoryview, count: int) -> list[bytes]:
    """Splits BYTES elements; each begins with its length, 4 bytes, little-endian."""
    files: list[bytes] = []
    offset, end = 0, len(raw)
    while len(files) < count and offset + _LENGTH.size <= end:
        (length,) = _LENGTH.unpack_from(raw, offset)
        offset += _LENGTH.size
        if offset + length > end:
            break
        files.append(bytes(raw[offset : offset + length]))
        offset += length
    if len(files) < count or offset != end:
        raise MalformedRequestError(
            f"input {ENCODED}: its {end} bytes do not hold {count} elements, each after its length in 4 bytes, "
            "little-endian"
        )
    return files
