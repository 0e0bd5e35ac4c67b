"""Kaggle's submission file: a prediction for each row of ``test.csv``."""

import csv
import io
from pathlib import Path

from training.data import kaggle_csv
from training.errors import DataError, ModelFileError
from training.files import write_atomically
from training.onnx_classifier import OnnxClassifier


def submit(model: Path, test_csv: Path, submission: Path) -> int:
    """Classifies every row and writes ``ImageId,Label``, ids counted from 1.

    Args:
        model: an exported file whose labels are digits.
        test_csv: 784 pixel columns, no label.
        submission: the file to write.

    Returns:
        How many rows were written.

    Raises:
        ModelFileError: the model does not read 28x28 digits.
        DataError: the CSV is missing or damaged, or the submission would replace it or the model.
        OSError: the submission cannot be written.
    """
    for kept in (model, test_csv):
        if submission.exists() and kept.exists() and submission.samefile(kept):
            raise DataError(f"--out {submission} is {kept}, which would be lost; name another file")
    classifier = OnnxClassifier.open(model)
    labels = classifier.metadata.labels
    if not all(label.isdecimal() for label in labels):
        raise ModelFileError(f"{model} knows {', '.join(labels)}: a model of digits is needed")
    predicted = classifier.predict(kaggle_csv.read_unlabelled(test_csv)).argmax(axis=1)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("ImageId", "Label"))
    writer.writerows((number, labels[index]) for number, index in enumerate(predicted, start=1))
    write_atomically(submission, text.getvalue().encode("ascii"))
    return len(predicted)
