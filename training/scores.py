"""Scores of predictions, from probabilities [N, K] and true classes [N], in numpy."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contract import Evaluation, Reference

Probabilities = NDArray[np.float32]
Classes = NDArray[np.int64]
Rows = NDArray[np.float64]

CALIBRATION_BINS = 15
_LEAST_PROBABILITY = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class ReliabilityBins:
    """Predictions sorted into equal-width bins of confidence, which is the highest probability of a prediction.

    Attributes:
        edges: float64 [B + 1], from 0 to 1.
        counts: int64 [B], predictions in each bin.
        confidence: float64 [B], their mean confidence; NaN where there is none.
        accuracy: float64 [B], the share of them that is right; NaN where there is none.
    """

    edges: NDArray[np.float64]
    counts: NDArray[np.int64]
    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]

    @property
    def expected_calibration_error(self) -> float:
        """Mean |accuracy - confidence|, weighted by count, 0 to 1 (Guo et al., 2017, equation 3)."""
        gaps = np.abs(np.nan_to_num(self.accuracy - self.confidence))
        return float(np.sum(gaps * self.counts) / np.sum(self.counts))


def evaluate(probabilities: Probabilities, classes: Classes) -> Evaluation:
    """Scores predictions.

    Args:
        probabilities: [N, K], each row summing to 1.
        classes: [N], the truth.

    Returns:
        The scores that a model file's metadata holds.
    """
    predicted = probabilities.astype(np.float64)
    rows = np.arange(len(classes))
    truth = np.zeros_like(predicted)
    truth[rows, classes] = 1
    return Evaluation(
        images=len(classes),
        accuracy=float(np.mean(predicted.argmax(axis=1) == classes)),
        log_loss=float(-np.mean(np.log(np.maximum(predicted[rows, classes], _LEAST_PROBABILITY)))),
        brier_score=float(np.mean(np.sum((predicted - truth) ** 2, axis=1))),
        expected_calibration_error=reliability_bins(probabilities, classes).expected_calibration_error,
    )


def reliability_bins(probabilities: Probabilities, classes: Classes, bins: int = CALIBRATION_BINS) -> ReliabilityBins:
    """Sorts predictions by confidence; a bin holds confidences above its lower edge, up to and including its upper."""
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == classes
    edges = np.linspace(0, 1, bins + 1)
    # Rounding may leave a confidence a little above 1.
    which = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)
    counts = np.bincount(which, minlength=bins)
    with np.errstate(invalid="ignore"):
        mean_confidence = np.bincount(which, confidence, bins) / counts
        accuracy = np.bincount(which, right, bins) / counts
    return ReliabilityBins(edges, counts, mean_confidence, accuracy)


def confusion_matrix(probabilities: Probabilities, classes: Classes) -> NDArray[np.int64]:
    """Counts int64 [K, K]: row is the true class, column the predicted one."""
    count = probabilities.shape[1]
    flat = np.bincount(classes * count + probabilities.argmax(axis=1), minlength=count * count)
    return flat.reshape(count, count)


def precision_recall(confusion: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Precision and recall of each class, float64 [K] each.

    Both are NaN for a class without pictures, since they were not measured; the precision of a class that is never
    predicted is 0.
    """
    predicted, true = confusion.sum(axis=0), confusion.sum(axis=1)
    right = np.where(true > 0, np.diag(confusion), np.nan)
    return right / np.maximum(predicted, 1), right / np.maximum(true, 1)


def reference(probabilities: Probabilities) -> Reference:
    """Distribution of predicted classes, and of confidences over ten equal bins."""
    count, labels = probabilities.shape
    predicted = np.bincount(probabilities.argmax(axis=1), minlength=labels) / count
    tenths = np.minimum((probabilities.max(axis=1) * 10).astype(np.int64), 9)
    confidences = np.bincount(tenths, minlength=10) / count
    return Reference(tuple(predicted.tolist()), tuple(confidences.tolist()))
