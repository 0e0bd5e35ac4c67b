"""One model file, checked against its own metadata and ready to run: ONNX Runtime sessions on the CPU or on a GPU.

::

    file ─> a session on the CPU: metadata, graph ─┬─ provider is the CPU: this session runs the batches
                                                   └─ a GPU: streams, each with its own session
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from contract import FAMILIARITY_NAME, FEATURES_NAME, INPUT_NAME, OUTPUT_NAME, ContractError, ModelMetadata
from service.errors import ModelRefusedError, ProviderUnavailableError
from service.inference.batch_size import useful_batch_size
from service.inference.cpu_run import CpuRun
from service.inference.gpu_options import GpuPolicy, provider_list
from service.inference.gpu_streams import open_streams
from service.inference.inference_threads import Done, InferenceThreads
from service.inference.onnx_stream import OnnxStream
from service.inference.providers import ONNX_RUNTIME_NAMES, Provider, placement, session_options
from service.inference.reasons import first_line
from service.inference.runtime import onnxruntime
from service.inference.watched_run import WatchedRun

_WARM_UP_RUNS: Final = 3
_IMAGES_AT_ONCE: Final = 16  # per core: as fast per image as 32, with 3 MiB less memory for activations
_COPIED_BYTES: Final = 32 << 20  # largest file that ONNX Runtime gets as bytes, see `_as_file`
_GPU_STREAMS: Final = 2  # one computes while the other copies


class ModelSession:
    """Runs one exported classifier.

    Args:
        model: the bytes of the ONNX file.
        origin: names the file in error messages.
        provider: the only provider that the model may run on.
        intra_op_threads: threads of one run on the CPU.
        max_batch_size: most images in one run.
        gpu: how much of a GPU the session may use.

    Attributes:
        metadata: of the file.
        provider: the provider that all nodes of the session were placed on.
        scores_familiarity: whether rows have one more column, the graph's output ``familiarity``.
        intra_op_threads: threads of one run on the CPU.
        max_batch_size: most images in one run.
        batches_in_flight: how many runs may be made at once.

    Raises:
        ModelRefusedError: not an ONNX file of the contract, or its graph does not match its metadata.
        ProviderUnavailableError: the model, or a part of it, cannot run on ``provider``.
    """

    def __init__(
        self,
        model: bytes,
        *,
        origin: str,
        provider: Provider,
        intra_op_threads: int,
        max_batch_size: int,
        gpu: GpuPolicy,
    ) -> None:
        options = session_options("cpu", intra_op_threads)
        if provider.is_gpu:  # this session is only read, not run
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        try:
            with _as_file(model) as file:
                session: Any = onnxruntime.InferenceSession(
                    file, options, providers=[ONNX_RUNTIME_NAMES["cpu"]], enable_fallback=False
                )
            self.metadata = ModelMetadata.from_props(session.get_modelmeta().custom_metadata_map)
            self._check_graph(session, origin)
        except (ModelRefusedError, MemoryError):
            raise
        except ContractError as error:
            raise ModelRefusedError(f"{origin}: {error}") from error
        except UnicodeDecodeError as error:
            raise ModelRefusedError(f"{origin}: it has a text that is not UTF-8") from error
        except Exception as error:
            raise ModelRefusedError(f"{origin}: ONNX Runtime cannot load it: {first_line(error)}") from error
        _forget_file(session)
        self.provider = provider.name
        self.scores_familiarity = FAMILIARITY_NAME in {output.name for output in session.get_outputs()}
        self.intra_op_threads = intra_op_threads
        self.max_batch_size = max_batch_size
        if provider.is_gpu:
            self._threads = self._open_streams(model, origin, provider, gpu)
            self._watched: WatchedRun | None = None
        else:
            images_at_once, classes = _IMAGES_AT_ONCE * intra_op_threads, len(self.metadata.labels)
            make_run = partial(
                CpuRun,
                session,
                images_at_once=images_at_once,
                classes=classes,
                scores_familiarity=self.scores_familiarity,
            )
            self._threads = InferenceThreads(make_run, count=1, name=f"inference-{self.metadata.name}")
            self._watched = WatchedRun(make_run())
        self.batches_in_flight = self._threads.count

    def run(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Computes one batch in a thread of the session and waits for it without a time limit.

        Up to ``batches_in_flight`` threads may call it at once without waiting for each other.

        Args:
            images: uint8 [N, H, W, C], N at most ``max_batch_size``.

        Returns:
            Probabilities, float32 [N, K].
        """
        return self._threads.run((images,))[:, : len(self.metadata.labels)]

    def run_briefly(self, parts: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Computes one batch in the event loop; interrupted where it takes longer than 16 to 32 ms.

        Args:
            parts: uint8 arrays [n, H, W, C], which together are the batch of N images.

        Returns:
            Rows, float32: probabilities [N, K], or [N, K + 1] where the session scores familiarity.

        Raises:
            TimeoutError: the run was interrupted.
            InferenceFailedError: the model gave an array of another shape.
            Exception: any error of ONNX Runtime.
        """
        if self._watched is None:
            return self._threads.run(parts)
        return self._watched.run(parts)

    def start(self, parts: Sequence[NDArray[np.uint8]], done: Done) -> Callable[[], None]:
        """Computes one batch in a thread; see :meth:`service.inference.inference_threads.InferenceThreads.start`."""
        return self._threads.start(parts, done)

    @staticmethod
    def columns(rows: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Probabilities [n, K] and familiarity [n] of the rows of a session that scores it."""
        return np.ascontiguousarray(rows[:, :-1]), rows[:, -1]

    def fit_batch_size(self) -> None:
        """Lowers ``max_batch_size`` to the useful size on the CPU; see :mod:`service.inference.batch_size`."""
        self.max_batch_size = useful_batch_size(self.seconds_of, self.max_batch_size)

    def warm_up(self) -> float:
        """Runs the smallest and the largest batch, so that no request has the longer time of a first run.

        Returns:
            Seconds per image of a run of the largest batch.
        """
        self.seconds_of(1)
        return self.seconds_of(self.max_batch_size) / self.max_batch_size

    def seconds_of(self, size: int) -> float:
        """The shortest time, in seconds, of a few runs of ``size`` black images."""
        images = np.zeros((size, *self.metadata.input_shape), np.uint8)
        fastest_s = float("inf")
        for _ in range(_WARM_UP_RUNS):
            started = time.perf_counter()
            self.run(images)
            fastest_s = min(fastest_s, time.perf_counter() - started)
        return fastest_s

    def close(self) -> None:
        """Frees ONNX Runtime's memory for this model, also while this object is referenced. It cannot run again."""
        del self._threads, self._watched

    def _open_streams(self, model: bytes, origin: str, provider: Provider, gpu: GpuPolicy) -> InferenceThreads:
        metadata, max_batch_size = self.metadata, self.max_batch_size

        def make_stream() -> OnnxStream:
            with _as_file(model) as file:
                session = onnxruntime.InferenceSession(
                    file,
                    session_options(provider.name),
                    providers=provider_list(provider, gpu, metadata.input_shape, max_batch_size),
                    enable_fallback=False,
                )
            _forget_file(session)
            check_placement(session, provider)
            return OnnxStream(
                session,
                input_shape=metadata.input_shape,
                classes=len(metadata.labels),
                scores_familiarity=self.scores_familiarity,
                max_batch_size=max_batch_size,
                device="cuda",
                device_id=provider.device_id,
            )

        name = f"inference-{metadata.name}"
        try:
            return open_streams(make_stream, count=_GPU_STREAMS, max_batch_size=max_batch_size, name=name)
        except Exception as error:
            raise ProviderUnavailableError(f"{origin} cannot run on {provider.name}: {first_line(error)}") from error

    def _check_graph(self, session: Any, origin: str) -> None:
        inputs, outputs = session.get_inputs(), session.get_outputs()
        metadata = self.metadata
        ports: list[tuple[str, str, str, tuple[int, ...]]] = [
            ("input", INPUT_NAME, "tensor(uint8)", metadata.input_shape)
        ]
        ports += [("output", OUTPUT_NAME, "tensor(float)", (len(metadata.labels),))]
        if metadata.features is not None:
            ports += [("output", FEATURES_NAME, "tensor(float)", metadata.features)]
        is_needed = metadata.familiarity is not None and metadata.familiarity.score == "features"
        if is_needed or FAMILIARITY_NAME in {output.name for output in outputs}:
            ports += [("output", FAMILIARITY_NAME, "tensor(float)", ())]
        if len(inputs) != 1 or len(outputs) != len(ports) - 1:
            raise ModelRefusedError(
                f"{origin}: the graph has {len(inputs)} inputs and {len(outputs)} outputs, not 1 and {len(ports) - 1}"
            )
        for port, (kind, name, datatype, shape) in zip((*inputs, *outputs), ports, strict=True):
            is_right = port.name == name and port.type == datatype and len(port.shape) == 1 + len(shape)
            if not is_right or list(port.shape[1:]) != list(shape):
                raise ModelRefusedError(
                    f"{origin}: the graph has the {kind} {port.name} {port.type} {port.shape}; "
                    f"its metadata needs {name} {datatype} {['N', *shape]}"
                )
            if isinstance(port.shape[0], int):
                raise ModelRefusedError(f"{origin}: {name} has a fixed batch size of {port.shape[0]}")


@contextmanager
def _as_file(model: bytes) -> Iterator[bytes | str]:
    """Gives ONNX Runtime a small model as bytes, and a large one as a file in memory.

    ONNX Runtime copies bytes while no other thread of the process can run, which takes 0.6 s for 1 GB. The path of a
    file in memory has no canonical form, so ONNX Runtime refuses references to external data, as it does for bytes.
    """
    if len(model) <= _COPIED_BYTES or not hasattr(os, "memfd_create"):
        yield model
        return
    with open(os.memfd_create("model"), "wb", buffering=0) as file:  # noqa: PTH123  a number
        view = memoryview(model)
        while view:
            view = view[file.write(view) :]
        yield f"/proc/self/fd/{file.fileno()}"


def _forget_file(session: Any) -> None:
    """Frees the file's bytes, which ONNX Runtime's Python class keeps for a reset that is not used here."""
    session._model_bytes = None  # noqa: SLF001


def check_placement(session: Any, provider: Provider) -> None:
    """Checks that the nodes of a session were placed on the provider that it was made for.

    Raises:
        ProviderUnavailableError: the session has another provider, or none of its nodes are on it, or some are on the
            CPU and not on the GPU.
    """
    wanted, nodes = ONNX_RUNTIME_NAMES[provider.name], placement(session)
    on_cpu = nodes.get(ONNX_RUNTIME_NAMES["cpu"], 0)
    if session.get_providers()[0] != wanted or wanted not in nodes or (on_cpu and provider.is_gpu):
        placed = ", ".join(f"{count} on {name}" for name, count in sorted(nodes.items())) or "none anywhere"
        raise ProviderUnavailableError(f"not all nodes are on {wanted}; ONNX Runtime placed {placed}")
