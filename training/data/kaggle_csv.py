"""Kaggle's Digit Recognizer: ``train.csv`` (``label,pixel0,...,pixel783``) and ``test.csv`` (the same, unlabelled)."""

import codecs
import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.data.dataset import DataSet, LabelledImages
from training.data.holdout import RandomHoldout, split
from training.data.mnist_idx import LABELS, of_arrays
from training.errors import DataError
from training.files import MEBIBYTE, read_file, reason

SIDE = 28
_MAX_BYTES = 1024 * MEBIBYTE
_MAX_HEADER_BYTES = 65_536
_TEST_SHARE, _TEST_SEED = 0.1, 0


def load(path: Path) -> DataSet:
    """Reads ``train.csv``; a tenth of its rows becomes the test set, since Kaggle's ``test.csv`` has no labels.

    Args:
        path: of ``train.csv``.

    Returns:
        Digits, uint8 [N, 28, 28, 1].

    Raises:
        DataError: the file is missing, truncated or mislabelled.
    """
    train, test = split(read_labelled(path), RandomHoldout(_TEST_SHARE, _TEST_SEED))
    note = (
        f"The test set is a random {_TEST_SHARE:.0%} of {path.name}, which the network never saw: "
        "Kaggle does not publish the labels of its own."
    )
    return of_arrays(train, test, notes=(note,))


def read_labelled(path: Path) -> LabelledImages:
    """Every row of a ``train.csv``.

    Raises:
        DataError: the file is missing, truncated or mislabelled.
    """
    table = _read(path, labelled=True)
    labels = table[:, 0].astype(np.int64)
    wrong = np.flatnonzero((labels < 0) | (labels >= len(LABELS)))
    if len(wrong):
        raise DataError(f"{path}, line {wrong[0] + 2}: label {labels[wrong[0]]} is not a digit")
    return LabelledImages(_pixels(path, table[:, 1:]), labels)


def read_unlabelled(path: Path) -> NDArray[np.uint8]:
    """Every row of a ``test.csv``, uint8 [N, 28, 28, 1].

    Raises:
        DataError: the file is missing or truncated.
    """
    return _pixels(path, _read(path, labelled=False))


def _content(path: Path) -> bytes:
    try:
        return read_file(path, _MAX_BYTES).removeprefix(codecs.BOM_UTF8)
    except FileNotFoundError:
        raise DataError(f"{path} is missing") from None
    except OSError as error:
        raise DataError(f"{path} is not a CSV file ({reason(error)})") from error


def _header(path: Path, content: bytes) -> list[str]:
    line = content[:_MAX_HEADER_BYTES].partition(b"\n")[0]
    if not line.isascii():
        raise DataError(f"{path} is not a CSV file (its first line is not ASCII)")
    return line.decode("ascii").strip().split(",")


def _read(path: Path, *, labelled: bool) -> NDArray[np.int16]:
    content = _content(path)
    expected = ["label"] * labelled + [f"pixel{number}" for number in range(SIDE * SIDE)]
    header = _header(path, content)
    if header != expected:
        began = ",".join(header[:2])[:64]
        raise DataError(
            f"{path} must begin with the header {expected[0]},{expected[1]},...,{expected[-1]} "
            f"({len(expected)} columns), not with {began},... ({len(header)} columns)"
        )
    rows = content.partition(b"\n")[2]
    if not rows.strip():
        raise DataError(f"{path} has a header, but no rows")
    try:
        table = np.loadtxt(io.BytesIO(rows), np.int16, comments=None, delimiter=",", ndmin=2)
    except ValueError as error:
        raise DataError(f"{path} is truncated or damaged: {reason(error)}") from error
    if table.shape[1] != len(expected):
        raise DataError(f"{path} is truncated or damaged: its rows have {table.shape[1]} columns, not {len(expected)}")
    return table


def _pixels(path: Path, values: NDArray[np.int16]) -> NDArray[np.uint8]:
    wrong = np.argwhere((values < 0) | (values > 255))
    if len(wrong):
        row, column = wrong[0]
        raise DataError(f"{path}, line {row + 2}: pixel{column} is {values[row, column]}, not 0 to 255")
    return values.astype(np.uint8).reshape(-1, SIDE, SIDE, 1)
