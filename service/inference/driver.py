"""Reads from NVIDIA's driver which CUDA version it can run and which GPUs there are.

The functions of ``libcuda.so.1``, which comes with the driver, are called directly, because ``nvidia-smi`` is missing
in many containers in which the GPU works. The driver respects ``CUDA_VISIBLE_DEVICES``.

Source: CUDA Driver API, https://docs.nvidia.com/cuda/cuda-driver-api/.
"""

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from service.errors import ProviderUnavailableError

LIBRARY = "libcuda.so.1"
_NAME_BYTES = 256


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU.

    Attributes:
        name: of the product, such as "NVIDIA H100".
        memory_bytes: total memory, whether in use or free.
    """

    name: str
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Driver:
    """The driver and its GPUs.

    Attributes:
        cuda_version: (major, minor) of the newest CUDA that the driver supports.
        gpus: in the order of their device ids.
    """

    cuda_version: tuple[int, int]
    gpus: tuple[Gpu, ...]


def read_driver(load: Callable[[str], Any] = ctypes.CDLL) -> Driver:
    """Loads the driver's library and reads its version and its GPUs.

    Args:
        load: loads a shared library, given its name.

    Returns:
        The driver, with at least one GPU.

    Raises:
        ProviderUnavailableError: there is no driver or no GPU, or the driver cannot start. The message says which.
    """
    try:
        cuda = load(LIBRARY)
    except OSError as error:
        raise ProviderUnavailableError(
            f"no NVIDIA driver: {error}; install it, or give the container access to the GPU (docker run --gpus all)"
        ) from error
    _check(cuda, cuda.cuInit(0), "start")
    version, count = ctypes.c_int(), ctypes.c_int()
    _check(cuda, cuda.cuDriverGetVersion(ctypes.byref(version)), "tell its version")
    _check(cuda, cuda.cuDeviceGetCount(ctypes.byref(count)), "count its GPUs")
    if count.value == 0:
        raise ProviderUnavailableError("the NVIDIA driver shows no GPU; see CUDA_VISIBLE_DEVICES")
    gpus = tuple(_gpu(cuda, index) for index in range(count.value))
    return Driver((version.value // 1000, version.value % 1000 // 10), gpus)


def _gpu(cuda: Any, index: int) -> Gpu:
    device, memory = ctypes.c_int(), ctypes.c_size_t()
    name = ctypes.create_string_buffer(_NAME_BYTES)
    _check(cuda, cuda.cuDeviceGet(ctypes.byref(device), index), f"find GPU {index}")
    _check(cuda, cuda.cuDeviceGetName(name, _NAME_BYTES, device), f"name GPU {index}")
    _check(cuda, cuda.cuDeviceTotalMem_v2(ctypes.byref(memory), device), f"tell the memory of GPU {index}")
    return Gpu(name.value.decode(), memory.value)


def _check(cuda: Any, status: int, task: str) -> None:
    if status == 0:
        return
    text = ctypes.c_char_p()
    cuda.cuGetErrorString(status, ctypes.byref(text))
    reason = text.value.decode() if text.value else "unknown"
    raise ProviderUnavailableError(f"the NVIDIA driver cannot {task}: {reason} (error {status})")
