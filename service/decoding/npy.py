"""NumPy's .npy file format, for many pixels in a request and many probabilities in an answer.

The header is a Python dictionary. NumPy evaluates it, which is slow and writes warnings for a malicious one; here it is
matched against the form that all writers of the format use. The data is never unpickled.

Source: NEP 1, and the documentation of ``numpy.lib.format``.
"""

import io
import math
import re
from typing import NamedTuple

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from imaging import Target
from service.errors import ImageFault, InvalidImagesError, MalformedRequestError

NPY_MEDIA_TYPE = "application/x-npy"

_MAGIC = b"\x93NUMPY"
_LENGTH_BYTES = {1: 2, 2: 4, 3: 4}  # of the header's length, by the format's major version
_MAX_HEADER_BYTES = 4096
_ENTRY = re.compile(
    r"""\s*(['"])(?P<key>descr|fortran_order|shape)\1\s*:\s*(?:
        (?P<order>True|False)
        | '(?P<single>[^'\\]{1,64})' | "(?P<double>[^"\\]{1,64})"
        | \((?P<shape>(?:\s*[0-9]{1,18}L?\s*,){0,32}\s*(?:[0-9]{1,18}L?\s*)?)\)
    )\s*(?:,|(?=\}))""",
    re.VERBOSE | re.ASCII,
)
_UINT8 = frozenset(("|u1", "u1", "<u1", ">u1", "=u1", "uint8", "B", "|B"))
_TYPE = re.compile(r"[<>=|]?([biufc])([0-9]{1,2})")
_TYPE_NAMES = {"b": "bool", "i": "int", "u": "uint", "f": "float", "c": "complex"}


class _Header(NamedTuple):
    """The header of an .npy file: dtype as text, order, shape, and where the data begins."""

    descr: str
    fortran_order: bool
    shape: tuple[int, ...]
    data_offset: int


def read_images(data: bytes, target: Target) -> NDArray[np.uint8]:
    """Reads a batch of pixels, without copying them.

    Args:
        data: a whole .npy file, uint8 [N, H, W, C] in C order.
        target: the input that the model needs.

    Returns:
        uint8 [N, H, W, C], a read-only view into ``data``.

    Raises:
        MalformedRequestError: not an .npy file, or its length does not match its header.
        InvalidImagesError: another dtype or shape than the model takes.
    """
    header = _read_header(data)
    shape = header.shape
    if (
        header.descr not in _UINT8
        or header.fortran_order
        or len(shape) != 4
        or shape[1:] != target.shape
        or shape[0] < 1
    ):
        order = " in Fortran order" if header.fortran_order else ""
        wanted = f"uint8 [N, {', '.join(map(str, target.shape))}] in C order"
        fault = f"the array is {_type_name(header.descr)} {list(shape)}{order}; this model takes {wanted}"
        raise InvalidImagesError([ImageFault(0, None, fault)])
    pixels = np.frombuffer(data, np.uint8, offset=header.data_offset)
    if pixels.size != math.prod(shape):
        raise MalformedRequestError(
            f"the .npy header promises {math.prod(shape)} bytes of pixels and {pixels.size} follow it"
        )
    return pixels.reshape(shape)


def write_array(array: NDArray[np.float32 | np.uint8]) -> bytes:
    """Writes an array as a whole .npy file."""
    stream = io.BytesIO()
    npy_format.write_array(stream, np.ascontiguousarray(array), allow_pickle=False)
    return stream.getvalue()


def _read_header(data: bytes) -> _Header:
    """Reads the header.

    Raises:
        MalformedRequestError: it is not valid, or too long.
    """
    length_bytes = _LENGTH_BYTES.get(data[6]) if data.startswith(_MAGIC) and len(data) > 12 else None
    if length_bytes is None:
        raise _malformed("it does not begin as one")
    start = 8 + length_bytes
    length = int.from_bytes(data[8:start], "little")
    if length > _MAX_HEADER_BYTES:
        raise _malformed(f"its header has {length} bytes; at most {_MAX_HEADER_BYTES} are allowed")
    if start + length > len(data):
        raise _malformed("its header is cut off")
    text = data[start : start + length].decode("latin-1").strip()
    entries: dict[str, re.Match[str]] = {}
    at, end = 1, len(text) - 1
    while text.startswith("{") and at < end and (entry := _ENTRY.match(text, at)) and entry["key"] not in entries:
        entries[entry["key"]] = entry
        at = entry.end()
    if len(entries) != 3 or text[at:].strip() != "}":
        raise _malformed("its header is not {'descr': ..., 'fortran_order': ..., 'shape': (...)} of a simple type")
    descr = entries["descr"]["single"] or entries["descr"]["double"]
    order, shape = entries["fortran_order"]["order"], entries["shape"]["shape"]
    if not descr or order is None or shape is None:
        raise _malformed("a value in its header is of the wrong kind")
    sizes = tuple(int(size.strip().rstrip("L")) for size in shape.split(",") if size.strip())
    return _Header(descr, order == "True", sizes, start + length)


def _type_name(descr: str) -> str:
    """The dtype as NumPy's users write it, such as float32."""
    if descr in _UINT8:
        return "uint8"
    known = _TYPE.fullmatch(descr)
    if known is None:
        return repr(descr[:16])
    return _TYPE_NAMES[known[1]] + ("" if known[1] == "b" else str(8 * int(known[2])))


def _malformed(reason: str) -> MalformedRequestError:
    return MalformedRequestError(f"the body is not an .npy file ({reason}); write one with numpy.save")
