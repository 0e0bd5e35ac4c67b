"""Measurements of a model: scores over a test set, and the distribution of its predictions there."""

import math
from dataclasses import dataclass
from typing import Any

from contract import fields

CONFIDENCE_BINS = 10
_MOST_IMAGES = 10**12
_Z = 1.959964  # quantile of the normal distribution for a 95 % interval


def wilson_interval(share: float, count: int) -> tuple[float, float]:
    """The 95 % confidence interval of a share that was found among ``count`` cases.

    Source: Wilson, Journal of the American Statistical Association 22 (1927), 209-212.
    """
    middle = (share + _Z**2 / (2 * count)) / (1 + _Z**2 / count)
    half = _Z / (1 + _Z**2 / count) * math.sqrt(share * (1 - share) / count + _Z**2 / (4 * count**2))
    return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Measured with ONNX Runtime on the exported file, over a whole test set.

    Attributes:
        images: number of test images.
        accuracy: share of them whose most probable label is the true one, 0 to 1.
        log_loss: mean negative log-likelihood of the true label, in nats.
        brier_score: mean squared distance between the probabilities and the one-hot truth, 0 to 2.
        expected_calibration_error: over 15 equal-width confidence bins, 0 to 1 (Guo et al., 2017).
    """

    images: int
    accuracy: float
    log_loss: float
    brier_score: float
    expected_calibration_error: float

    @property
    def accuracy_interval(self) -> tuple[float, float]:
        """The 95 % confidence interval of the accuracy (Wilson, 1927): two numbers from 0 to 1."""
        return wilson_interval(self.accuracy, self.images)


@dataclass(frozen=True, slots=True)
class Reference:
    """The distribution of predictions over the test set, with which live traffic is compared to find drift.

    Attributes:
        predicted_classes: share of images predicted as each label, in label order, [K], sums to 1.
        confidences: share of images whose highest probability is in each tenth of 0 to 1, [10], sums to 1.
    """

    predicted_classes: tuple[float, ...]
    confidences: tuple[float, ...]


_evaluation = fields.members(
    {
        "images": fields.whole(1, _MOST_IMAGES),
        "accuracy": fields.number(0, 1),
        "log_loss": fields.number(0, 1e6),
        "brier_score": fields.number(0, 2),
        "expected_calibration_error": fields.number(0, 1),
    }
)


def read_evaluation(value: Any, field: str) -> Evaluation:
    """Reads an :class:`Evaluation` from its JSON form."""
    return Evaluation(**_evaluation(value, field))


def read_reference(value: Any, field: str, classes: int) -> Reference:
    """Reads a :class:`Reference` over ``classes`` labels from its JSON form."""
    read = fields.members(
        {
            "predicted_classes": fields.shares(least=classes, most=classes),
            "confidences": fields.shares(least=CONFIDENCE_BINS, most=CONFIDENCE_BINS),
        }
    )
    return Reference(**read(value, field))
