"""Checks, before a model gets any request, that its answers are those that its file declares."""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from service.errors import ModelRefusedError
from service.inference.reasons import first_line
from service.inference.session import ModelSession

_LARGEST_PROBABILITY: Final = 1.001  # with low precision, rounding can make a probability slightly larger than 1


def check_answers(session: ModelSession, origin: str) -> None:
    """Runs the golden images and a batch of the largest size, and checks every answer.

    Args:
        session: of the model.
        origin: names the file in messages.

    Raises:
        ModelRefusedError: a run fails, or an answer is not finite or differs from the file's.
    """
    try:
        _check_golden_images(session, origin)
        _check_noise(session, origin)
    except (ModelRefusedError, MemoryError):
        raise
    except Exception as error:
        raise ModelRefusedError(f"{origin}: ONNX Runtime cannot run it: {first_line(error)}") from error


def _check_golden_images(session: ModelSession, origin: str) -> None:
    """Compares answers with those in the file, for all images together and for the first one alone."""
    metadata = session.metadata
    images = np.stack(
        [np.frombuffer(image.pixels, np.uint8).reshape(metadata.input_shape) for image in metadata.golden]
    )
    expected = np.array([image.probabilities for image in metadata.golden], np.float32)
    size = session.max_batch_size
    answered = [_answers(session, images[start : start + size], origin) for start in range(0, len(images), size)]
    off = np.abs(np.concatenate(answered) - expected).max(axis=1)
    _compare(off, metadata.golden_tolerance, origin)
    alone = np.abs(_answers(session, images[:1], origin) - expected[:1]).max(axis=1)
    _compare(alone, metadata.golden_tolerance, origin)


def _compare(off: NDArray[np.float32], tolerance: float, origin: str) -> None:
    if not (off <= tolerance).all():
        raise ModelRefusedError(
            f"{origin}: golden image {int(off.argmax())} is off by {off.max():.4f}, more than {tolerance}: "
            "this file is not the model that was measured"
        )


def _check_noise(session: ModelSession, origin: str) -> None:
    """Runs the largest batch on noise, black and white, which use more of a network's range than most pictures."""
    shape = session.max_batch_size, *session.metadata.input_shape
    # A multiplicative hash of the index is random enough here; numpy.random takes 10 ms to import.
    places = np.arange(math.prod(shape), dtype=np.uint32)
    images = (places * np.uint32(2_654_435_761) >> np.uint32(24)).astype(np.uint8).reshape(shape)
    images[0], images[-1] = 0, 255
    _answers(session, images, origin)


def _answers(session: ModelSession, images: NDArray[np.uint8], origin: str) -> NDArray[np.float32]:
    rows = session.run(images)
    _check_rows(rows, origin)
    return rows


def _check_rows(rows: NDArray[np.float32], origin: str) -> None:
    if not np.isfinite(rows).all():
        raise ModelRefusedError(f"{origin}: it answers with numbers that are not finite (NaN or infinity)")
    if rows.min() < 0 or rows.max() > _LARGEST_PROBABILITY:
        raise ModelRefusedError(
            f"{origin}: it answers with numbers from {rows.min():g} to {rows.max():g}, not with probabilities"
        )
