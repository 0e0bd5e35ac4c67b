"""Everything that is measured on an exported file over one set of labelled pictures, ready for ``metrics.json``."""

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contract import Evaluation, GoldenImage, most_golden_images
from training import scores
from training.data.dataset import LabelledImages
from training.onnx_classifier import OnnxClassifier
from training.scores import Probabilities

_GOLDEN_IMAGES = 10
_LEAST_PROBABILITY = 1e-37  # near the smallest normal float32


@dataclass(frozen=True, slots=True, eq=False)
class Measurement:
    """ONNX Runtime's answers and their scores.

    Attributes:
        labels: K labels.
        images: the labelled pictures.
        probabilities: float32 [N, K], the model's answers.
        evaluation: the scores.
        confusion: int64 [K, K], rows true, columns predicted.
        familiarity: the graph's output of that name, float32 [N]; None where it has none.
    """

    labels: tuple[str, ...]
    images: LabelledImages
    probabilities: Probabilities
    evaluation: Evaluation
    confusion: NDArray[np.int64]
    familiarity: NDArray[np.float32] | None = None

    @property
    def right(self) -> NDArray[np.bool_]:
        """Which predictions are right, [N]."""
        right: NDArray[np.bool_] = self.probabilities.argmax(axis=1) == self.images.classes
        return right

    def golden_images(self) -> tuple[GoldenImage, ...]:
        """The first picture of each class, ten classes at most; fewer if so many large pictures would be too much."""
        most = min(_GOLDEN_IMAGES, most_golden_images(self.images.pixels[0].size))
        classes = np.unique(self.images.classes)[:most]
        rows = [int(np.argmax(self.images.classes == index)) for index in classes]
        return tuple(
            GoldenImage(
                pixels=self.images.pixels[row].tobytes(),
                label=self.labels[self.images.classes[row]],
                probabilities=tuple(self.probabilities[row].tolist()),
            )
            for row in rows
        )

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; precision and recall of a class without pictures are null."""
        precision, recall = scores.precision_recall(self.confusion)
        return {
            **asdict(self.evaluation),
            "accuracy_interval": list(self.evaluation.accuracy_interval),
            "per_class": {
                label: {
                    "images": int(self.confusion[row].sum()),
                    "precision": None if np.isnan(precision[row]) else float(precision[row]),
                    "recall": None if np.isnan(recall[row]) else float(recall[row]),
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
        labels: names of the K classes.

    Returns:
        The answers and their scores.

    Raises:
        ModelFileError: the pictures have another shape than the model takes.
    """
    probabilities, familiarity = classifier.answers(images.pixels)
    return Measurement(
        labels=labels,
        images=images,
        probabilities=probabilities,
        evaluation=scores.evaluate(probabilities, images.classes),
        confusion=scores.confusion_matrix(probabilities, images.classes),
        familiarity=familiarity,
    )


def uncalibrated(test: Measurement, temperature: float) -> Measurement:
    """The measurement of the same network without its temperature: p ** temperature, scaled to a sum of 1."""
    logits = np.log(np.maximum(test.probabilities.astype(np.float64), _LEAST_PROBABILITY)) * temperature
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
    return replace(
        test,
        probabilities=probabilities,
        evaluation=scores.evaluate(probabilities, test.images.classes),
        confusion=scores.confusion_matrix(probabilities, test.images.classes),
    )
