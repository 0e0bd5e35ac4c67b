"""Metrics of a model's answers: predicted classes, confidence, and the drift of both."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from contract import ModelMetadata
from service.decision import most_probable
from service.telemetry.metrics.drift import Drift
from service.telemetry.metrics.families import ModelFamilies

MOST_LABEL_SERIES: Final = 100
"""Models with more labels get no series per label: a thousand series for one model are too many for Prometheus."""


class PredictionMetrics:
    """Counts the answers of one model.

    Args:
        families: of all models.
        metadata: of this one; it has the reference distribution for drift, if one was measured.
    """

    def __init__(self, families: ModelFamilies, metadata: ModelMetadata) -> None:
        model = metadata.name, metadata.version
        reference = metadata.reference
        names = metadata.class_names if len(metadata.labels) <= MOST_LABEL_SERIES else ()
        self._classes = len(metadata.labels)
        self._predicted = [families.predicted.labels(*model, name) for name in names]
        self._confidence = families.confidence.labels(*model)
        self._drifts: dict[str, Drift] = {}
        if reference is not None:
            self._drifts = {"classes": Drift(reference.predicted_classes), "confidence": Drift(reference.confidences)}
            for name, share in zip(names, reference.predicted_classes, strict=False):
                families.reference.labels(*model, name).set(share)
        for what, measured in (
            ("accuracy", metadata.evaluation),
            ("calibration", metadata.uncalibrated),
            ("reference", reference),
        ):
            families.measured.labels(*model, what).set(measured is not None)
        self._drift_index = families.drift
        self._shown_drifts: set[str] = set()
        self._model = model

    def add(self, probabilities: NDArray[np.float32]) -> None:
        """Counts further answers.

        Args:
            probabilities: float32 [N, K].
        """
        confidence = probabilities.max(axis=1)
        finite = np.isfinite(confidence)
        if not finite.all():
            probabilities, confidence = probabilities[finite], confidence[finite]
        by_class = np.bincount(most_probable(probabilities), minlength=self._classes)
        if self._predicted:
            for label in np.flatnonzero(by_class).tolist():
                self._predicted[label].inc(int(by_class[label]))
        self._confidence.observe_many(confidence)
        if self._drifts:
            self._drifts["classes"].add(by_class)
            by_confidence = np.bincount(np.clip((confidence * 10).astype(np.int64), 0, 9), minlength=10)
            self._drifts["confidence"].add(by_confidence)

    def show(self) -> None:
        """Sets the drift at each fold, also without further answers: the model that this one replaced has ended it."""
        for of, drift in self._drifts.items():
            if (index := drift.index()) is not None:
                self._drift_index.labels(*self._model, of).set(index)
                self._shown_drifts.add(of)

    def close(self) -> None:
        """Sets the drift to 0, so that no alert stays on. Several workers cannot remove the series."""
        for of in self._shown_drifts:
            self._drift_index.labels(*self._model, of).set(0)
        self._drifts = {}  # the last answers, which are counted after this, show none
