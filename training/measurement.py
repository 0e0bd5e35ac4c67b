"""Everything that is measured on an exported file over one set of labelled pictures, ready for ``metrics.json``."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contract import Evaluation
from training import scores
from training.data.dataset import LabelledImages
from training.onnx_classifier import OnnxClassifier
from training.scores import Probabilities


@dataclass(frozen=True, slots=True, eq=False)
class Measurement:
    """What ONNX Runtime answered, and how good that is.

    Attributes:
        labels: K labels.
        images: what was asked.
        probabilities: float32 [N, K], what was answered.
        evaluation: the scores.
        confusion: int64 [K, K], rows true, columns predicted.
    """

    labels: tuple[str, ...]
    images: LabelledImages
    probabilities: Probabilities
    evaluation: Evaluation
    confusion: NDArray[np.int64]

    @property
    def right(self) -> NDArray[np.bool_]:
        """Which predictions are right, [N]."""
        right: NDArray[np.bool_] = self.probabilities.argmax(axis=1) == self.images.classes
        return right

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        precision, recall = scores.precision_recall(self.confusion)
        return {
            **asdict(self.evaluation),
            "accuracy_interval": list(self.evaluation.accuracy_interval),
            "per_class": {
                label: {
                    "images": int(self.confusion[row].sum()),
                    "precision": float(precision[row]),
                    "recall": float(recall[row]),
                }
                for row, label in enumerate(self.labels)
            },
            "confusion_matrix": self.confusion.tolist(),
        }


def measure(classifier: OnnxClassifier, images: LabelledImages, labels: tuple[str, ...]) -> Measurement:
    """Runs a model over pictures.

    Args:
        classifier: the exported file.
        images: labelled pictures of the shape that it takes.
        labels: what its classes are called.

    Returns:
        The answers and their scores.

    Raises:
        ModelFileError: the pictures have another shape than the model takes.
    """
    probabilities = classifier.predict(images.pixels)
    return Measurement(
        labels=labels,
        images=images,
        probabilities=probabilities,
        evaluation=scores.evaluate(probabilities, images.classes),
        confusion=scores.confusion_matrix(probabilities, images.classes),
    )
