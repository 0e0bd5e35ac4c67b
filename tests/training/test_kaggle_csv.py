from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from training.data import kaggle_csv
from training.data.dataset import DataSet, LabelledImages
from training.errors import DataError

WriteCsv = Callable[[Path, LabelledImages, bool], Path]


@pytest.fixture
def train_csv(tmp_path: Path, mnist_data: DataSet, write_kaggle_csv: WriteCsv) -> Path:
    return write_kaggle_csv(tmp_path / "train.csv", mnist_data.train.take(slice(100)), True)


def test_reads_labelled_rows(train_csv: Path, mnist_data: DataSet) -> None:
    images = kaggle_csv.read_labelled(train_csv)
    np.testing.assert_array_equal(images.pixels, mnist_data.train.pixels[:100])
    np.testing.assert_array_equal(images.classes, mnist_data.train.classes[:100])


def test_reads_unlabelled_rows(tmp_path: Path, mnist_data: DataSet, write_kaggle_csv: WriteCsv) -> None:
    path = write_kaggle_csv(tmp_path / "test.csv", mnist_data.test, False)
    np.testing.assert_array_equal(kaggle_csv.read_unlabelled(path), mnist_data.test.pixels)


def test_holds_a_tenth_out_as_test_set(train_csv: Path) -> None:
    data = kaggle_csv.load(train_csv)
    assert (len(data.train), len(data.test)) == (90, 10)
    assert "random 10%" in data.notes[0]


def _replace_in_line(path: Path, line: int, column: int, value: str) -> None:
    lines = path.read_text().splitlines()
    cells = lines[line - 1].split(",")
    cells[column] = value
    lines[line - 1] = ",".join(cells)
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("line", "column", "value", "message"),
    [
        (5, 0, "12", r"train.csv, line 5: label 12 is not a digit"),
        (7, 3, "256", r"train.csv, line 7: pixel2 is 256, not 0 to 255"),
        (9, 3, "", r"train.csv is truncated or damaged"),
        (1, 0, "digit", r"train.csv must begin with the header label,pixel0,...,pixel783 \(785 columns\)"),
    ],
)
def test_refuses_a_wrong_cell(train_csv: Path, line: int, column: int, value: str, message: str) -> None:
    _replace_in_line(train_csv, line, column, value)
    with pytest.raises(DataError, match=message):
        kaggle_csv.load(train_csv)


def test_refuses_a_truncated_file(train_csv: Path) -> None:
    content = train_csv.read_bytes()
    train_csv.write_bytes(content[: len(content) - 300])
    with pytest.raises(DataError, match=r"train.csv is truncated or damaged"):
        kaggle_csv.load(train_csv)


def test_refuses_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"train.csv is missing"):
        kaggle_csv.load(tmp_path / "train.csv")
