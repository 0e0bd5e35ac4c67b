"""One model file as something that runs: ONNX Runtime sessions, checked against what the file says of itself.

::

    file ─> a session on the CPU: metadata, graph ─┬─ provider is the CPU: that session runs
                                                   └─ a GPU: lanes, each with a session of its own
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from contract import INPUT_NAME, OUTPUT_NAME, ContractError, ModelMetadata
from service.errors import ModelRefusedError, ProviderUnavailableError
from service.inference.gpu_options import GpuPolicy, provider_list
from service.inference.gpu_streams import Lanes
from service.inference.onnx_stream import OnnxLane
from service.inference.providers import ONNX_RUNTIME_NAMES, Provider, placement, session_options
from service.inference.runtime import onnxruntime

_WARM_UP_RUNS = 3
_IMAGES_AT_ONCE: Final = 16  # on a core: as fast an image as 32, with 3 MiB less of activations a model
_GPU_LANES: Final = 2  # one computes while the other copies


class ModelSession:
    """Runs one exported classifier.

    Args:
        model: the bytes of the ONNX file.
        origin: where they come from, for messages.
        provider: to run on, and on no other.
        intra_op_threads: threads of one run on the CPU.
        max_batch_size: most images in one run.
        gpu: what it may take of a GPU.

    Attributes:
        metadata: what the file says about itself.
        provider: the provider that the session really has, and that its nodes were placed on.
        max_batch_size: most images in one run.
        batches_in_flight: how many runs may be made at once.

    Raises:
        ModelRefusedError: not an ONNX file of the contract, or its graph is not what its metadata says.
        ProviderUnavailableError: the model cannot run on ``provider``, or not as a whole.
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
        if provider.is_gpu:  # only read here, not run
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        try:
            session: Any = onnxruntime.InferenceSession(model, options, providers=[ONNX_RUNTIME_NAMES["cpu"]])
            self.metadata = ModelMetadata.from_props(session.get_modelmeta().custom_metadata_map)
        except ContractError as error:
            raise ModelRefusedError(f"{origin}: {error}") from error
        except Exception as error:
            raise ModelRefusedError(f"{origin}: ONNX Runtime cannot load it: {str(error).splitlines()[0]}") from error
        self._check_graph(session, origin)
        self.provider = provider.name
        self.max_batch_size = max_batch_size
        self.batches_in_flight = 1
        self._run: Callable[[NDArray[np.uint8]], NDArray[np.float32]]
        if provider.is_gpu:
            lanes = self._open_lanes(model, origin, provider, gpu)
            self.batches_in_flight = lanes.count
            self._run = lanes.run
            self._lanes: Lanes | None = lanes
        else:
            self._run = partial(_run_in_pieces, session, _IMAGES_AT_ONCE * intra_op_threads)
            self._lanes = None

    def run(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Computes one batch; ``batches_in_flight`` threads may call it at once.

        Args:
            images: uint8 [N, H, W, C], N at most ``max_batch_size``.

        Returns:
            Probabilities, float32 [N, K].
        """
        return self._run(images)

    def warm_up(self) -> float:
        """Runs batches of the largest size, and of every size that a GPU is prepared for: no request pays for a first.

        Returns:
            Seconds that a run takes an image, at the largest size.
        """
        if self._lanes is not None:
            self._lanes.warm_up()
        images = np.zeros((self.max_batch_size, *self.metadata.input_shape), np.uint8)
        self.run(images[:1])
        fastest_s = float("inf")
        for _ in range(_WARM_UP_RUNS):
            started = time.perf_counter()
            self.run(images)
            fastest_s = min(fastest_s, time.perf_counter() - started)
        return fastest_s / self.max_batch_size

    def check_golden_images(self, origin: str) -> None:
        """Asks for the answers that the file itself expects.

        Raises:
            ModelRefusedError: an answer is off by more than the contract's tolerance.
        """
        golden = self.metadata.golden
        images = np.stack(
            [np.frombuffer(image.pixels, np.uint8).reshape(self.metadata.input_shape) for image in golden]
        )
        expected = np.array([image.probabilities for image in golden], np.float32)
        starts = range(0, len(images), self.max_batch_size)
        answered = np.concatenate([self.run(images[start : start + self.max_batch_size]) for start in starts])
        off = np.abs(answered - expected).max(axis=1)
        tolerance = self.metadata.golden_tolerance
        if not (off <= tolerance).all():
            raise ModelRefusedError(
                f"{origin}: golden image {int(off.argmax())} is off by {off.max():.4f}, more than {tolerance}: "
                "this file is not the model that was measured"
            )

    def _open_lanes(self, model: bytes, origin: str, provider: Provider, gpu: GpuPolicy) -> Lanes:
        input_shape = self.metadata.input_shape

        def make_lane() -> OnnxLane:
            session = onnxruntime.InferenceSession(
                model,
                session_options(provider.name),
                providers=provider_list(provider, gpu, input_shape, self.max_batch_size),
                enable_fallback=False,
            )
            check_placement(session, provider)
            return OnnxLane(
                session,
                input_shape=input_shape,
                classes=len(self.metadata.labels),
                max_batch_size=self.max_batch_size,
                device="cuda",
                device_id=provider.device_id,
            )

        try:
            return Lanes(make_lane, count=_GPU_LANES, max_batch_size=self.max_batch_size)
        except Exception as error:
            raise ProviderUnavailableError(
                f"{origin} cannot run on {provider.name}: {str(error).splitlines()[0]}"
            ) from error

    def _check_graph(self, session: Any, origin: str) -> None:
        inputs, outputs = session.get_inputs(), session.get_outputs()
        if len(inputs) != 1 or len(outputs) != 1:
            raise ModelRefusedError(
                f"{origin}: the graph has {len(inputs)} inputs and {len(outputs)} outputs, not 1 and 1"
            )
        shape, classes = self.metadata.input_shape, len(self.metadata.labels)
        for port, name, kind, wanted in (
            (inputs[0], INPUT_NAME, "tensor(uint8)", [*shape]),
            (outputs[0], OUTPUT_NAME, "tensor(float)", [classes]),
        ):
            if port.name != name or port.type != kind or list(port.shape[1:]) != wanted:
                raise ModelRefusedError(
                    f"{origin}: the graph has {port.name} {port.type} {port.shape}; "
                    f"its metadata needs {name} {kind} ['N', {', '.join(map(str, wanted))}]"
                )
            if isinstance(port.shape[0], int):
                raise ModelRefusedError(f"{origin}: {name} has a fixed batch size of {port.shape[0]}")


def _run_in_pieces(session: Any, piece: int, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Runs a batch on the CPU, so many images at once."""
    if len(images) <= piece:
        rows: NDArray[np.float32] = session.run((OUTPUT_NAME,), {INPUT_NAME: images})[0]
        return rows
    starts = range(0, len(images), piece)
    return np.concatenate([_run_in_pieces(session, piece, images[start : start + piece]) for start in starts])


def check_placement(session: Any, provider: Provider) -> None:
    """Checks that a session computes where it should.

    Args:
        session: ONNX Runtime's.
        provider: that it was made for.

    Raises:
        ProviderUnavailableError: the session has another provider, or none of its nodes, or some are on the CPU.
    """
    wanted, nodes = ONNX_RUNTIME_NAMES[provider.name], placement(session)
    on_cpu = nodes.get(ONNX_RUNTIME_NAMES["cpu"], 0)
    if session.get_providers()[0] != wanted or wanted not in nodes or (on_cpu and provider.is_gpu):
        placed = ", ".join(f"{count} on {name}" for name, count in sorted(nodes.items())) or "none anywhere"
        raise ProviderUnavailableError(f"not all nodes are on {wanted}; ONNX Runtime placed {placed}")
