"""Page-locked memory of the host, which a GPU reads directly, without a copy to a buffer of the driver.

Source: ``cudaHostRegister``, https://docs.nvidia.com/cuda/cuda-runtime-api/group__CUDART__MEMORY.html.
"""

import ctypes
import logging
import math
import mmap
import weakref

import numpy as np
from numpy.typing import NDArray

from service.inference.runtime import onnxruntime

logger = logging.getLogger(__name__)

_PORTABLE = 1  # page-locked for every CUDA context of the process


def page_aligned(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Zeros that begin at the start of a memory page, as page-locking needs them."""
    size = max(1, math.prod(shape))
    return np.frombuffer(mmap.mmap(-1, size), np.uint8)[: math.prod(shape)].reshape(shape)


def page_locked(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Page-locked memory for copies to a GPU, or ordinary memory, which is slower, where it cannot be locked.

    Returns:
        uint8 zeros of the shape. The memory is unlocked when the array is freed.
    """
    array = page_aligned(shape)
    try:
        # The CUDA provider has already loaded this library into the process.
        cuda = ctypes.CDLL(f"libcudart.so.{str(onnxruntime.cuda_version).partition('.')[0]}")
        status = cuda.cudaHostRegister(ctypes.c_void_p(array.ctypes.data), ctypes.c_size_t(array.nbytes), _PORTABLE)
    except (OSError, AttributeError) as error:
        logger.warning("host memory is not page-locked, copies to the GPU will be slower: %s", error)
        return array
    if status != 0:
        logger.warning("host memory is not page-locked, copies to the GPU will be slower: CUDA error %d", status)
        return array
    weakref.finalize(array, cuda.cudaHostUnregister, ctypes.c_void_p(array.ctypes.data))
    return array
