"""NumPy's own file format, for bulk pixels in and bulk probabilities out.

The header is parsed by NumPy; the data is never unpickled.
"""

import io
import math

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from imaging import Target
from service.errors import ImageFault, InvalidImagesError, MalformedRequestError

NPY_MEDIA_TYPE = "application/x-npy"
_MAX_HEADER_BYTES = 4096


def read_images(data: bytes, target: Target) -> NDArray[np.uint8]:
    """Reads a batch of pixels, without copying them.

    Args:
        data: a whole .npy file, uint8 [N, H, W, C] in C order.
        target: what the model wants.

    Returns:
        uint8 [N, H, W, C], a read-only view into ``data``.

    Raises:
        MalformedRequestError: not an .npy file, or its length does not match its header.
        InvalidImagesError: another dtype or shape than the model takes.
    """
    stream = io.BytesIO(data)
    try:
        version = npy_format.read_magic(stream)
        read_header = npy_format.read_array_header_1_0 if version == (1, 0) else npy_format.read_array_header_2_0
        shape, fortran_order, dtype = read_header(stream, max_header_size=_MAX_HEADER_BYTES)
    except Exception as error:
        raise MalformedRequestError(
            f"the body is not an .npy file ({str(error).splitlines()[0][:120]}); write one with numpy.save"
        ) from error
    wanted = f"uint8 [N, {', '.join(map(str, target.shape))}] in C order"
    if (
        dtype != np.uint8
        or fortran_order
        or len(shape) != 4
        or shape[1:] != target.shape
        or type(shape[0]) is not int
        or shape[0] < 1
    ):
        order = " in Fortran order" if fortran_order else ""
        fault = f"the array is {dtype} {list(shape)}{order}; this model takes {wanted}"
        raise InvalidImagesError([ImageFault(0, None, fault)])
    pixels = np.frombuffer(data, np.uint8, offset=stream.tell())
    if pixels.size != math.prod(shape):
        raise MalformedRequestError(
            f"the .npy header promises {math.prod(shape)} bytes of pixels and {pixels.size} follow it"
        )
    return pixels.reshape(shape)


def write_array(array: NDArray[np.float32]) -> bytes:
    """Writes an array as a whole .npy file."""
    stream = io.BytesIO()
    npy_format.write_array(stream, np.ascontiguousarray(array), allow_pickle=False)
    return stream.getvalue()
