"""How good an exported file is, on any data it fits: the figures on a terminal, or as JSON."""

import json
from pathlib import Path

from rich.console import Console
from rich.table import Table

from training import scores
from training.data import sources
from training.data.dataset import DataSet, LabelledImages
from training.measurement import Measurement, measure
from training.onnx_classifier import OnnxClassifier


def evaluate(model: Path, place: Path | None, *, part: str, as_json: bool, skipped: Path | None = None) -> Measurement:
    """Measures and prints.

    Args:
        model: an exported file.
        place: where the data is; None leaves it to keras.datasets.
        part: ``test``, or ``all`` for the training and the test set together.
        as_json: print JSON instead of tables.
        skipped: where the names of pictures that cannot be used are written; None makes them an error.

    Returns:
        What was measured.

    Raises:
        ModelFileError: the file is no model, or does not fit the data.
        DataError: the data is missing or damaged.
    """
    classifier = OnnxClassifier.open(model)
    data = sources.load_for(classifier.metadata, place, skipped)
    measured = measure(classifier, data.test if part == "test" else _everything(data), data.labels)
    if as_json:
        print(json.dumps(measured.to_json(), indent=2))
    else:
        _print(measured, str(model))
    return measured


def _everything(data: DataSet) -> LabelledImages:
    return data.train.followed_by(data.test)


def _print(measured: Measurement, title: str) -> None:
    console = Console(highlight=False, soft_wrap=True)
    evaluation = measured.evaluation
    console.print(f"{title}, {evaluation.images} images")
    console.print(f"accuracy                   {evaluation.accuracy:.4f}")
    console.print(f"log loss                   {evaluation.log_loss:.4f} nats")
    console.print(f"Brier score                {evaluation.brier_score:.4f}")
    console.print(f"expected calibration error {evaluation.expected_calibration_error:.4f} (15 bins)\n")
    precision, recall = scores.precision_recall(measured.confusion)
    table = Table("true class", "images", "precision", "recall", *(f"-> {label}" for label in measured.labels))
    for row, label in enumerate(measured.labels):
        counts = measured.confusion[row]
        table.add_row(
            label, str(counts.sum()), f"{precision[row]:.4f}", f"{recall[row]:.4f}", *(str(count) for count in counts)
        )
    # A table is never squeezed to the terminal's width: columns of figures that are cut off say nothing.
    Console(highlight=False, width=max(console.width, 40 + 14 * len(measured.labels))).print(table)
