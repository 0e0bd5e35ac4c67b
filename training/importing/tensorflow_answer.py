"""The answers of a function of TensorFlow, with which those of its ONNX graph are compared."""

from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from training.importing.onnx_source import as_columns, batches
from training.importing.source import Answer

_BATCH = 64


def answer_of(
    function: tf.types.experimental.ConcreteFunction, pictures: tf.TensorSpec, path: Path, output: str
) -> Answer:
    """Makes the answer of a source.

    Args:
        function: takes one batch of pictures.
        pictures: type and shape of the batch, [N, H, W, C]; N is open or fixed.
        path: of the source, for messages.
        output: the name of the function's result, for messages.
    """

    def answer(values: NDArray[np.float32]) -> NDArray[np.generic]:
        pieces = batches(values, pictures.shape[0], _BATCH)
        answered = [(function(tf.cast(piece, pictures.dtype)).numpy(), len(piece)) for piece in pieces]
        return np.concatenate([as_columns(given, rows, path, output) for given, rows in answered])[: len(values)]

    return answer
