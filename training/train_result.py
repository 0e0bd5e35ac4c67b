"""Prints how a training ended."""

import sys
from pathlib import Path

from contract import ModelMetadata
from training.card import interval
from training.temperature import LEAST_IMAGES


def print_result(model: ModelMetadata, repository: Path) -> None:
    """Prints its accuracy and calibration error, and warnings to standard error.

    Args:
        model: of a version that was just published, with its evaluation.
        repository: folder that the version was published in.
    """
    score, raw = model.evaluation, model.uncalibrated
    assert score is not None and raw is not None  # noqa: S101, PT018  training has just measured both
    crossed = model.training.get("cross_validation")
    held_out = model.training["validation_images"] if crossed is None else crossed["images"]
    if held_out < LEAST_IMAGES:
        what = "validation pictures" if crossed is None else "pictures in all"
        print(
            f"warning: {held_out} {what} are too few to calibrate on (at least {LEAST_IMAGES} are needed): the "
            "temperature stays 1",
            file=sys.stderr,
        )
    if crossed is not None:
        least, most = crossed["accuracy_interval"]
        print(
            f"cross-validation: {crossed['accuracy']:.2%} ({least:.2%} to {most:.2%}) of {crossed['images']} pictures, "
            f"each by one of {crossed['folds']} networks that had not seen it"
        )
    print(
        f"{repository / model.name / model.version}: accuracy {score.accuracy:.2%} ({interval(score)}) on "
        f"{score.images} test images, calibration error {score.expected_calibration_error:.2%} "
        f"({raw.expected_calibration_error:.2%} before temperature {model.temperature:.3f})"
    )
