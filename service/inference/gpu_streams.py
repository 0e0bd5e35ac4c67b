"""Runs several batches at once on one GPU: while one is computed, the next is copied to the GPU.

::

    start(parts) ─> a free thread with its stream: stage, padded to a bucket ─> copy in, compute, copy out ─> rows
    start(parts) ─> another thread with its own stream: the same, at the same time

Code for the device is behind :class:`GpuStream`. So this module also runs with a CPU session or a simulated device,
with which it is tested where there is no GPU.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from service.inference.buckets import bucket_of, bucket_sizes
from service.inference.inference_threads import InferenceThreads

_WARM_UP_RUNS = 3  # ONNX Runtime allocates memory in the first two, and captures the graph in the third


class GpuStream(Protocol):
    """A CUDA stream with its own session and buffers. Made and used in one thread only.

    ONNX Runtime stores a captured CUDA graph for the thread that captured it. A run in another thread would capture it
    again while a request waits.
    """

    @property
    def staging(self) -> NDArray[np.uint8]:
        """The buffer for images before their copy to the GPU, uint8 [largest bucket, H, W, C]; never reallocated."""
        ...

    def compute(self, batch_size: int) -> NDArray[np.float32]:
        """Runs over the first images of :attr:`staging`.

        Args:
            batch_size: a bucket.

        Returns:
            float32 [batch_size, K], or [batch_size, K + 1] with familiarity; the caller may keep it.
        """
        ...


class StreamRun:
    """Runs batches on one stream, padded to a bucket; see :class:`service.inference.inference_threads.BatchRun`.

    The constructor runs every bucket, so that no request waits for memory allocation or graph capture.

    Args:
        make_stream: called once.
        max_batch_size: most images in one run.

    Raises:
        Exception: any error of making or running the stream.
    """

    def __init__(self, make_stream: Callable[[], GpuStream], max_batch_size: int) -> None:
        self._stream = make_stream()
        self._buckets = bucket_sizes(max_batch_size)
        for bucket in self._buckets:
            for _ in range(_WARM_UP_RUNS):
                self._stream.compute(bucket)

    def run(self, parts: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Computes one batch.

        Args:
            parts: uint8 arrays [n, H, W, C], which together are the batch of N images.

        Returns:
            float32 [N, K], or [N, K + 1] with familiarity.

        Raises:
            Exception: any error of the device; the stream can still be used.
        """
        staging, count = self._stream.staging, 0
        for part in parts:
            staging[count : count + len(part)] = part
            count += len(part)
        # The padding has images of an earlier batch. Its rows are computed and dropped.
        return self._stream.compute(bucket_of(count, self._buckets))[:count]

    def interrupt(self) -> None:
        """Does nothing: a captured graph runs as a whole, in milliseconds."""

    def reset(self) -> None:
        """Does nothing."""


def open_streams(
    make_stream: Callable[[], GpuStream], *, count: int, max_batch_size: int, name: str
) -> InferenceThreads:
    """Makes streams, each in its own thread, and warms them up.

    Args:
        make_stream: makes one stream.
        count: number of streams, that is, of batches in flight at once.
        max_batch_size: most images in one run.
        name: of the threads, as debuggers show it.

    Returns:
        The threads, ready to run batches of up to ``max_batch_size`` images.

    Raises:
        Exception: any error of making or running a stream.
    """
    return InferenceThreads(partial(StreamRun, make_stream, max_batch_size), count=count, name=name)
