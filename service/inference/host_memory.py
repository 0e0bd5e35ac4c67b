"""Memory of the host that a GPU reads directly: page-locked, so that a copy needs no detour and no core.

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
    """Zeros that begin on a page, as page-locking wants them."""
    size = max(1, math.prod(shape))
    return np.frombuffer(mmap.mmap(-1, size), np.uint8)[: math.prod(shape)].reshape(shape)


def page_locked(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Memory that stays where it is, for copies to a GPU. Where it cannot be locked it is ordinary, and slower.

    Args:
        shape: of the array.

    Returns:
        uint8, zeros. It is unlocked when nobody holds it any more.
    """
    array = page_aligned(shape)
    try:
        # Already in the process, loaded for the CUDA provider.
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
