"""Proves that the imported file and its source give the same answers, for pictures in batches of 1, 7 and 64."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from training.errors import ImportRefusedError
from training.files import reason
from training.importing.head import Ending
from training.importing.one_by_one import mixes_pictures
from training.importing.preprocessing import Preprocessing
from training.importing.source import Source
from training.onnx_classifier import OnnxClassifier
from training.scores import Probabilities

TOLERANCE = 1e-4
TOLERANCE_FLOAT16 = 5e-3
TOLERANCE_BY_RANGE = 5e-3
"""Of networks that quantize by the range of their values: the last bit of a pixel can move values by a whole level."""
RANDOM_IMAGES = 64
_BATCHES = {1: 8, 7: 21, 64: None}
"""Batch size -> number of pictures; None for all of them."""

_WEAK_SPREAD = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Proof:
    """The result of the comparison.

    Attributes:
        images: the number of pictures.
        largest_difference: of a probability.
        tolerance: the largest difference that is allowed.
        expected: the source's probabilities, float32 [N, K].
        is_weak: whether the answers hardly differ between pictures, so that a wrong graph could give the same ones.
    """

    images: int
    largest_difference: float
    tolerance: float
    expected: Probabilities
    is_weak: bool

    def describe(self, framework: str) -> str:
        """The result in one line."""
        return (
            f"same answers as {framework} within {self.largest_difference:.1e} on {self.images} pictures "
            f"(allowed: {self.tolerance:.0e})"
        )


def random_images(shape: tuple[int, int, int], count: int = RANDOM_IMAGES) -> NDArray[np.uint8]:
    """Fixed random pictures between noise and a plain surface, uint8 [N, H, W, C]."""
    height, width, channels = shape
    rng = np.random.default_rng(0)
    images = np.empty((count, height, width, channels), np.uint8)
    for index in range(count):
        cells = 2 ** (index % 8)  # from one colour, over large patches, to fine ones
        rows, columns = -(-height // cells), -(-width // cells)
        patches = rng.integers(0, 256, (min(cells, height), min(cells, width), channels))
        images[index] = np.kron(patches, np.ones((rows, columns, 1)))[:height, :width]
    return images


def prove(
    source: Source,
    served: OnnxClassifier,
    *,
    preprocessing: Preprocessing,
    ending: Ending,
    images: NDArray[np.uint8],
) -> Proof:
    """Compares the file with its source. Both are without temperature.

    Args:
        source: the foreign classifier, which gives the expected answers.
        served: the imported file.
        preprocessing: of pixel values.
        ending: how values become probabilities.
        images: uint8 [N, H, W, C], at the input's size.

    Raises:
        ImportRefusedError: they differ too much; the message names the picture and the class.
    """
    expected = ending.probabilities(source.answer_pictures(images, preprocessing)).astype(np.float32)
    tolerance = _tolerance(source)
    worst = 0.0
    for batch, count in _BATCHES.items():
        try:
            answered = served.predict(images[:count], batch)
        except Exception as error:  # ONNX Runtime's exceptions share no base class of their own
            raise ImportRefusedError(
                f"{source.origin}: its graph does not run in batches of {batch} ({reason(error)}). "
                "Export it with a dynamic batch: torch.onnx.export(..., dynamic_shapes={'x': {0: 'N'}})"
            ) from error
        if answered.shape != expected[:count].shape:
            raise ImportRefusedError(
                f"{source.origin}: its graph answers {len(answered)} times for {len(expected[:count])} pictures in "
                f"batches of {batch}. Export it with a dynamic batch"
            )
        if not np.isfinite(answered).all():
            raise ImportRefusedError(f"{source.origin}: the network answers values that are not finite")
        apart = np.abs(answered - expected[:count])
        worst = max(worst, float(apart.max()))
        if worst > tolerance:
            row, column = np.unravel_index(int(apart.argmax()), apart.shape)
            raise ImportRefusedError(
                f"{source.origin}: nothing is published, since the imported graph does not answer as "
                f"{source.framework}: picture {row}, class {column}, batch {batch}: {answered[row, column]:.6f} "
                f"and not {expected[row, column]:.6f} (at most {tolerance} is rounding)"
            )
    spread = float(np.ptp(expected, axis=0).max())
    return Proof(len(images), worst, tolerance, expected, spread < _WEAK_SPREAD)


def _tolerance(source: Source) -> float:
    if _computes_in_half(source):
        return TOLERANCE_FLOAT16
    return TOLERANCE_BY_RANGE if mixes_pictures(source.graph) else TOLERANCE


def _computes_in_half(source: Source) -> bool:
    """Whether the network computes in float16: as its input, its weights, or by a cast (Keras' mixed_float16)."""
    graph = source.graph.graph
    if source.taken.dtype == np.float16 or any(tensor.data_type == TensorProto.FLOAT16 for tensor in graph.initializer):
        return True
    casts = (attribute for node in graph.node if node.op_type == "Cast" for attribute in node.attribute)
    return any(attribute.name == "to" and attribute.i == TensorProto.FLOAT16 for attribute in casts)
