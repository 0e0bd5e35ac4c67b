"""Distillation: a network learns from the answers of a better one (Hinton, Vinyals and Dean, 2015, arXiv 1503.02531).

The teacher is an exported file of the same classes. It classifies the same augmented pictures that the student sees
("Knowledge distillation: a good teacher is patient and consistent", 2022, arXiv 2106.05237).
"""

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.data.dataset import DataSet
from training.errors import ModelFileError
from training.onnx_classifier import OnnxClassifier

_SHARE = np.float32(0.9)


class Teacher:
    """A model whose answers are nine tenths of the target; the true class is the last tenth.

    Args:
        model: an exported file.
        data: the data set that the student learns from.

    Raises:
        ModelFileError: the file is no model, or has other classes or another input shape.
    """

    def __init__(self, model: Path, data: DataSet) -> None:
        self._classifier = OnnxClassifier.open(model)
        said = self._classifier.metadata
        if said.labels != data.labels or said.input_shape != data.input_shape:
            raise ModelFileError(
                f"{model} cannot teach {data.name}: it knows {', '.join(said.labels)} in {list(said.input_shape)}, and "
                f"{', '.join(data.labels)} in {list(data.input_shape)} are to be learnt"
            )
        self.fingerprint = hashlib.sha256(model.read_bytes()).hexdigest()

    def targets(self, pictures: NDArray[np.float32], truth: NDArray[np.float32]) -> NDArray[np.float32]:
        """The student's targets, float32 [N, K].

        Args:
            pictures: as the student sees them, float32 [N, H, W, C], 0 to 1.
            truth: one-hot, float32 [N, K].
        """
        answers = self._classifier.predict(np.rint(pictures * np.float32(255)).astype(np.uint8))
        return _SHARE * answers + (1 - _SHARE) * truth
