"""``convoy evaluate``: measures an exported file on a data set, and prints the figures as tables or as JSON."""

import json
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from training import scores
from training.data import sources
from training.data.dataset import DataSet, LabelledImages
from training.data.learnt_pictures import LearntPictures, test_set
from training.errors import ModelFileError
from training.held_out import were_fitted_on
from training.measurement import Measurement, measure
from training.onnx_classifier import OnnxClassifier
from training.trust import Trust, figures_in_words, measure_trust


def evaluate(
    model: Path,
    place: Path | None,
    *,
    part: str,
    as_json: bool,
    figures: Path | None = None,
    skipped: Path | None = None,
) -> Measurement:
    """Measures a model and prints the figures.

    Args:
        model: an exported file.
        place: where the data is; None leaves it to keras.datasets.
        part: ``test``, of your own pictures without those that the model learnt from; or ``all`` for the training, the
            validation and the test set together.
        as_json: print JSON instead of tables.
        figures: folder for the pictures; None draws none.
        skipped: where the names of pictures that cannot be used are written; None makes them an error.

    Returns:
        What was measured.

    Raises:
        ModelFileError: the file is no model, does not fit the data, or may find several labels in a picture.
        DataError: the data is missing or damaged, or the model learnt from all of it.
    """
    classifier = OnnxClassifier.open(model)
    said = classifier.metadata
    if said.multi_label:
        raise ModelFileError(
            f"{model}: a picture may have several labels, and a folder or table gives it one, so accuracy would say "
            "nothing; it is not measured"
        )
    data = sources.load_for(said, place, skipped)
    if part == "all":
        images = _everything(data)
        learnt = LearntPictures.beside(model)
        if data.is_own and learnt is not None and (count := int(learnt.among(images).sum())):
            print(
                f"the model learnt from {count} of these {len(images)} pictures: the figures do not hold for new ones",
                file=sys.stderr,
            )
    else:
        images = test_set(data, model)
    measured = measure(classifier, images, data.labels)
    if said.conformal and were_fitted_on(said.conformal, measured.probabilities, images.classes):
        print(
            "the thresholds for coverage and familiarity were fitted on pictures among these: their figures do not "
            "hold for new ones",
            file=sys.stderr,
        )
    trust = measure_trust(measured.probabilities, measured.familiarity, measured.images.classes, said)
    if as_json:
        print(json.dumps(measured.to_json() | {"decisions": trust.to_json()}, indent=2))
    else:
        _print(measured, str(model))
        print(f"\n{figures_in_words(said, trust)}", end="")
    if figures is not None:
        _draw(figures, f"{said.name} version {said.version}, {trust.images:,} pictures", measured, trust)
    return measured


def _everything(data: DataSet) -> LabelledImages:
    learnt = data.train if data.validation is None else data.train.followed_by(data.validation)
    return learnt.followed_by(data.test)


def _draw(folder: Path, title: str, measured: Measurement, trust: Trust) -> None:
    from training.figures.decisions import calibration, risk_coverage, sets_of_labels  # noqa: PLC0415  matplotlib takes a second

    folder.mkdir(parents=True, exist_ok=True)
    drawn = {"risk_coverage": risk_coverage(trust, title), "calibration": calibration(measured, title)}
    if trust.sets:
        drawn["sets_of_labels"] = sets_of_labels(trust, title)
    for name, figure in drawn.items():
        figure.savefig(folder / f"{name}.png", dpi=110)


def _print(measured: Measurement, title: str) -> None:
    console = Console(highlight=False, soft_wrap=True)
    evaluation = measured.evaluation
    console.print(f"{title}, {evaluation.images} images")
    least, most = evaluation.accuracy_interval
    console.print(f"accuracy                   {evaluation.accuracy:.4f} (95 % interval {least:.4f} to {most:.4f})")
    console.print(f"log loss                   {evaluation.log_loss:.4f} nats")
    console.print(f"Brier score                {evaluation.brier_score:.4f}")
    console.print(f"expected calibration error {evaluation.expected_calibration_error:.4f} (15 bins)\n")
    precision, recall = scores.precision_recall(measured.confusion)
    table = Table("true class", "images", "precision", "recall", *(f"-> {label}" for label in measured.labels))
    for row, label in enumerate(measured.labels):
        counts = measured.confusion[row]
        shares = [f"{share:.4f}" if counts.any() else "" for share in (precision[row], recall[row])]
        table.add_row(label, str(counts.sum()), *shares, *(str(count) for count in counts))
    # The table may be wider than the terminal, since columns that are cut off cannot be read.
    Console(highlight=False, width=max(console.width, 40 + 14 * len(measured.labels))).print(table)
