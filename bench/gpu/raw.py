"""Measures the session without HTTP: images/s of each bucket with and without copies, and parity with the CPU."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.rate import runs_per_s
from contract import INPUT_NAME, OUTPUT_NAME
from service.inference import GpuPolicy, ModelRepository, Provider
from service.inference.buckets import bucket_sizes
from service.inference.gpu_options import provider_list
from service.inference.providers import ONNX_RUNTIME_NAMES, session_options
from service.inference.runtime import onnxruntime
from service.inference.session import ModelSession

POLICY = GpuPolicy(memory_limit_bytes=1 << 30, cuda_graphs=True)


@dataclass(frozen=True, slots=True)
class Speed:
    """Images/s at one batch size.

    Attributes:
        batch_size: the size of the bucket.
        resident: with input and output on the device, without a copy.
        copied: as the service runs it, one batch after the other.
        overlapped: as ``copied``, but from as many threads as there may be batches in flight.
    """

    batch_size: int
    resident: float
    copied: float
    overlapped: float


@dataclass(frozen=True, slots=True)
class Parity:
    """A comparison of answers with the CPU's, over test images.

    Attributes:
        images: the number of images.
        largest_difference: of a probability.
        same_class: share of the images with the same most probable class.
        accuracy: on the provider; None where the true classes are not known.
        accuracy_on_cpu: the same on the CPU.
    """

    images: int
    largest_difference: float
    same_class: float
    accuracy: float | None
    accuracy_on_cpu: float | None


def open_session(models: Path, name: str, version: str, provider: Provider, max_batch_size: int) -> ModelSession:
    """A warmed session, as the service makes it."""
    repository = ModelRepository(
        models, provider=provider, intra_op_threads=1, max_batch_size=max_batch_size, gpu=POLICY
    )
    return repository.load(name, version).session


def speeds(models: Path, session: ModelSession, provider: Provider, seconds: float) -> list[Speed]:
    """Measures every bucket.

    Args:
        models: the model repository.
        session: as the service makes it.
        provider: of the session.
        seconds: duration of each measurement.
    """
    found = []
    images = _random(session, session.max_batch_size)
    for size in bucket_sizes(session.max_batch_size):
        batch = images[:size]
        resident = _resident(models, session, provider, size)
        copied = runs_per_s(lambda batch=batch: session.run(batch), seconds)  # type: ignore[misc]
        with ThreadPoolExecutor(session.batches_in_flight) as threads:
            rates = threads.map(
                lambda _, batch=batch: runs_per_s(lambda: session.run(batch), seconds), range(session.batches_in_flight)
            )
            overlapped = sum(rates)
        found.append(Speed(size, size * runs_per_s(resident, seconds), size * copied, size * overlapped))
    return found


def parity(
    session: ModelSession, on_cpu: ModelSession, pixels: NDArray[np.uint8], classes: NDArray[np.int64] | None
) -> Parity:
    """Compares a session's answers with the CPU's.

    Args:
        session: on the provider.
        on_cpu: the same model on the CPU.
        pixels: test images, uint8 [N, H, W, C].
        classes: their true classes, [N]; None where they are not known.
    """
    answered, expected = (
        np.concatenate(
            [each.run(pixels[at : at + each.max_batch_size]) for at in range(0, len(pixels), each.max_batch_size)]
        )
        for each in (session, on_cpu)
    )
    predicted, predicted_on_cpu = answered.argmax(axis=1), expected.argmax(axis=1)
    right = None if classes is None else float(np.mean(predicted == classes))
    right_on_cpu = None if classes is None else float(np.mean(predicted_on_cpu == classes))
    same = float(np.mean(predicted == predicted_on_cpu))
    return Parity(len(pixels), float(np.abs(answered - expected).max()), same, right, right_on_cpu)


def _resident(models: Path, session: ModelSession, provider: Provider, size: int) -> Callable[[], None]:
    """A function that runs the network on buffers that stay on the device."""
    said = session.metadata
    model = str(models / said.name / said.version / "model.onnx")
    offered = (
        provider_list(provider, POLICY, said.input_shape, size)
        if provider.is_gpu
        else [(ONNX_RUNTIME_NAMES["cpu"], {})]
    )
    raw = onnxruntime.InferenceSession(model, session_options(provider.name), providers=offered, enable_fallback=False)
    device = "cuda" if provider.is_gpu else "cpu"
    images = onnxruntime.OrtValue.ortvalue_from_numpy(_random(session, size), device, provider.device_id)
    rows = onnxruntime.OrtValue.ortvalue_from_shape_and_type(
        [size, len(said.labels)], np.float32, device, provider.device_id
    )
    binding = raw.io_binding()
    binding.bind_ortvalue_input(INPUT_NAME, images)
    binding.bind_ortvalue_output(OUTPUT_NAME, rows)
    for _ in range(3):
        raw.run_with_iobinding(binding)
    return lambda: raw.run_with_iobinding(binding)


def _random(session: ModelSession, count: int) -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, (count, *session.metadata.input_shape), np.uint8)
