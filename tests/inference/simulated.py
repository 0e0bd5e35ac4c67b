"""A simulated device of any speed: it answers [v, 2 v] for each 1x1 image v; 255 makes it fail."""

import threading

import numpy as np
from numpy.typing import NDArray


class SimulatedDevice:
    """The state that all streams of one device share.

    Args:
        latency_s: duration of a run, in seconds.
        is_gated_after_warm_up: whether each run after the warm-up waits until :attr:`gate` is opened for it.
    """

    def __init__(self, latency_s: float = 0.0, *, is_gated_after_warm_up: bool = False) -> None:
        self.latency_s = latency_s
        self.is_gated = False
        self.is_gated_after_warm_up = is_gated_after_warm_up
        self.entered = threading.Semaphore(0)
        self.gate = threading.Semaphore(0)
        self.never = threading.Event()
        self.batch_sizes: list[int] = []
        self.threads: list[set[int]] = []

    def make_stream(self, max_batch_size: int) -> "SimulatedStream":
        self.threads.append({threading.get_ident()})
        return SimulatedStream(self, self.threads[-1], max_batch_size)


class SimulatedStream:
    """One stream; it records the threads that use it."""

    def __init__(self, device: SimulatedDevice, threads: set[int], max_batch_size: int) -> None:
        self._device = device
        self._threads = threads
        self.staging = np.zeros((max_batch_size, 1, 1, 1), np.uint8)

    def compute(self, batch_size: int) -> NDArray[np.float32]:
        self._threads.add(threading.get_ident())
        self._device.batch_sizes.append(batch_size)
        values = self.staging[:batch_size].reshape(-1).astype(np.float32)
        self._device.never.wait(self._device.latency_s)
        if self._device.is_gated:
            self._device.entered.release()
            assert self._device.gate.acquire(timeout=10)
        if values[0] == 255:
            raise RuntimeError("255 is poison")
        return np.stack([values, 2 * values], axis=1)
