"""A GPU stream with an ONNX Runtime session; each bucket has buffers, which are bound once, and a captured CUDA graph.

::

    staging (page-locked) ── uint8 over the bus ──> device buffer ── graph ──> device buffer ── float32 ──> rows

For a session on the CPU, the same code has its buffers in host memory, and no captured graph.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from contract import FAMILIARITY_NAME, INPUT_NAME, OUTPUT_NAME
from service.inference.buckets import bucket_sizes
from service.inference.host_memory import page_aligned, page_locked
from service.inference.runtime import onnxruntime

DeviceKind = Literal["cpu", "cuda"]


@dataclass(frozen=True, slots=True)
class _BoundBuffers:
    """The buffers and the binding of one bucket."""

    images: Any
    outputs: tuple[Any, ...]
    binding: Any
    options: Any


class OnnxStream:
    """One session with its buffers; see :class:`service.inference.gpu_streams.GpuStream`.

    Args:
        session: of ONNX Runtime; no other stream uses it.
        input_shape: (H, W, C).
        classes: K.
        scores_familiarity: whether the graph has the output ``familiarity``, which becomes one more column.
        max_batch_size: most images in one run.
        device: where the session computes.
        device_id: of the GPU; not used on the CPU.

    Attributes:
        staging: see :class:`service.inference.gpu_streams.GpuStream`.
    """

    def __init__(
        self,
        session: Any,
        *,
        input_shape: tuple[int, int, int],
        classes: int,
        scores_familiarity: bool = False,
        max_batch_size: int,
        device: DeviceKind,
        device_id: int = 0,
    ) -> None:
        self._session = session
        allocate = page_locked if device == "cuda" else page_aligned
        self.staging = allocate((max_batch_size, *input_shape))
        outputs: dict[str, tuple[int, ...]] = {OUTPUT_NAME: (classes,)}
        if scores_familiarity:
            outputs[FAMILIARITY_NAME] = ()
        self._bound = {
            size: self._bind(index, (size, *input_shape), outputs, device, device_id)
            for index, size in enumerate(bucket_sizes(max_batch_size), start=1)
        }

    def compute(self, batch_size: int) -> NDArray[np.float32]:
        """As :meth:`service.inference.gpu_streams.GpuStream.compute`."""
        bound = self._bound[batch_size]
        bound.images.update_inplace(self.staging[:batch_size])
        self._session.run_with_iobinding(bound.binding, bound.options)
        rows, *scores = (output.numpy() for output in bound.outputs)
        # On the CPU, numpy() is a view of the buffer that the next run writes to.
        return np.column_stack((rows, *scores)) if scores else np.array(rows)

    def _bind(
        self,
        graph_id: int,
        shape: tuple[int, ...],
        outputs: Mapping[str, tuple[int, ...]],
        device: DeviceKind,
        device_id: int,
    ) -> _BoundBuffers:
        value = onnxruntime.OrtValue.ortvalue_from_shape_and_type
        images = value(list(shape), np.uint8, device, device_id)
        made = {name: value([shape[0], *rest], np.float32, device, device_id) for name, rest in outputs.items()}
        binding = self._session.io_binding()
        binding.bind_ortvalue_input(INPUT_NAME, images)
        for name, output in made.items():
            binding.bind_ortvalue_output(name, output)
        options = onnxruntime.RunOptions()
        options.add_run_config_entry("gpu_graph_id", str(graph_id))
        return _BoundBuffers(images, tuple(made.values()), binding, options)
