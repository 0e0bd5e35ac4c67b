"""Measures a model's decisions on labelled pictures: sets of labels, abstaining, familiarity."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from contract import ModelMetadata, wilson_interval
from contract.held_out import FAMILIARITY_STEPS, LEAST_FAMILIARITY
from training.held_out import Scores, label_sets, negative_entropy
from training.scores import Classes, Probabilities

CONFIDENCES = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)


@dataclass(frozen=True, slots=True)
class SetFigures:
    """Figures of the sets of one level.

    Attributes:
        asked: the coverage of the level.
        coverage: share of pictures whose set holds the truth.
        mean_size: the mean number of labels in a set.
        single: share of pictures whose set has one label.
        by_class: coverage of each class, in label order; None for a class without pictures.
        has_class_thresholds: whether each class has a threshold of its own.
    """

    asked: float
    coverage: float
    mean_size: float
    single: float
    by_class: tuple[float | None, ...]
    has_class_thresholds: bool


@dataclass(frozen=True, slots=True)
class RiskPoint:
    """One threshold of the risk-coverage curve.

    Attributes:
        min_confidence: the threshold.
        answered: share of pictures that get a label.
        accuracy: share of these that are right; None where there are none.
    """

    min_confidence: float
    answered: float
    accuracy: float | None


@dataclass(frozen=True, slots=True)
class Trust:
    """All figures, over one set of labelled pictures.

    Attributes:
        images: the number of pictures.
        accuracy: share of them that is classified correctly.
        interval: 95 % interval of the accuracy (Wilson, 1927).
        sets: of each level.
        risk_coverage: at each of :data:`CONFIDENCES`.
        curve: the same at 200 thresholds between the lowest and the highest confidence, not in JSON.
        familiar: share of pictures above the threshold of the warning; None where familiarity is not known.
    """

    images: int
    accuracy: float
    interval: tuple[float, float]
    sets: tuple[SetFigures, ...]
    risk_coverage: tuple[RiskPoint, ...]
    familiar: float | None
    curve: tuple[RiskPoint, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {name: value for name, value in asdict(self).items() if name != "curve"}


def measure_trust(
    probabilities: Probabilities, familiarity: Scores | None, classes: Classes, said: ModelMetadata
) -> Trust:
    """Measures decisions on labelled pictures.

    Args:
        probabilities: the model's answers, float32 [N, K].
        familiarity: its output of that name, [N]; None where it has none.
        classes: the truth, [N].
        said: the model's metadata, with its thresholds.
    """
    right = probabilities.argmax(axis=1) == classes
    confidences = probabilities.max(axis=1)

    def point(threshold: float) -> RiskPoint:
        answered = confidences >= np.float32(threshold)
        accuracy = float(right[answered].mean()) if answered.any() else None
        return RiskPoint(threshold, float(answered.mean()), accuracy)

    points = [point(threshold) for threshold in CONFIDENCES]
    curve = [point(threshold) for threshold in np.quantile(confidences, np.linspace(0, 0.99, 200)).tolist()]
    sets = []
    for level in said.conformal.levels if said.conformal else ():
        found = label_sets(probabilities, level.thresholds)
        covered, sizes = found[np.arange(len(classes)), classes], found.sum(axis=1)
        by_class = tuple(
            float(covered[classes == index].mean()) if (classes == index).any() else None
            for index in range(len(said.labels))
        )
        sets.append(
            SetFigures(
                level.coverage,
                float(covered.mean()),
                float(sizes.mean()),
                float((sizes == 1).mean()),
                by_class,
                len(level.thresholds) > 1,
            )
        )
    familiar = None
    if said.familiarity is not None:
        of_features = None if said.familiarity.score == "entropy" else familiarity
        compared = negative_entropy(probabilities) if of_features is None else of_features.astype(np.float64)
        least = said.familiarity.quantiles[round(LEAST_FAMILIARITY * FAMILIARITY_STEPS)]
        familiar = float((compared >= least).mean())
    accuracy = float(right.mean())
    interval = wilson_interval(accuracy, len(classes))
    return Trust(len(classes), accuracy, interval, tuple(sets), tuple(points), familiar, tuple(curve))


def trust_section(said: ModelMetadata, trust: Trust) -> str:
    """The section of the model card, in Markdown."""
    link = "[docs/trust.md](../../../docs/trust.md)"
    return f"Measured on {trust.images:,} test images; {link} says what it means.\n\n{figures_in_words(said, trust)}"


def figures_in_words(said: ModelMetadata, trust: Trust) -> str:
    """The figures as tables in Markdown, which terminals show as well."""
    lines = []
    if trust.sets and said.conformal:
        lines += [
            f"Sets of labels (`coverage=`), with thresholds from {said.conformal.images:,} held-out pictures:",
            "",
            "| asked | covered | worst class | labels a set | sets of one label | thresholds |",
            "| --- | --- | --- | --- | --- | --- |",
        ]
        for one in trust.sets:
            least, worst = min((share, place) for place, share in enumerate(one.by_class) if share is not None)
            kind = "by class" if one.has_class_thresholds else "one"
            lines.append(
                f"| {one.asked:g} | {one.coverage:.2%} | {said.class_names[worst]} {least:.2%} | "
                f"{one.mean_size:.2f} | {one.single:.1%} | {kind} |"
            )
        lines.append("")
    lines += [
        "Abstaining (`min_confidence=`):",
        "",
        "| min_confidence | answered | right of these |",
        "| --- | --- | --- |",
    ]
    for point in trust.risk_coverage:
        accuracy = "none" if point.accuracy is None else f"{point.accuracy:.2%}"
        lines.append(f"| {point.min_confidence:g} | {point.answered:.2%} | {accuracy} |")
    if trust.familiar is not None:
        lines += ["", f"Familiar (`familiarity=`, no warning): {trust.familiar:.2%} of the test images."]
    return "\n".join(lines) + "\n"
