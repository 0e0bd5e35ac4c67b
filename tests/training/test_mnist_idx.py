import gzip
from pathlib import Path

import numpy as np
import pytest

from training.data import mnist_idx
from training.data.dataset import DataSet
from training.errors import DataError


def test_reads_the_publishers_files(mnist_directory: Path, mnist_data: DataSet) -> None:
    data = mnist_idx.load(mnist_directory)
    np.testing.assert_array_equal(data.train.pixels, mnist_data.train.pixels)
    np.testing.assert_array_equal(data.test.classes, mnist_data.test.classes)
    assert data.input_shape == (28, 28, 1)
    assert data.polarity == "light-on-dark"


def test_reads_uncompressed_files(mnist_directory: Path, mnist_data: DataSet) -> None:
    for path in mnist_directory.glob("*.gz"):
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    np.testing.assert_array_equal(mnist_idx.load(mnist_directory).test.pixels, mnist_data.test.pixels)


def test_names_a_missing_file(mnist_directory: Path) -> None:
    (mnist_directory / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(DataError, match=r"t10k-labels-idx1-ubyte is missing"):
        mnist_idx.load(mnist_directory)


def test_names_a_truncated_archive(mnist_directory: Path) -> None:
    path = mnist_directory / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte.gz is truncated or damaged"):
        mnist_idx.load(mnist_directory)


@pytest.mark.parametrize(
    ("stem", "position", "value", "message"),
    [
        ("train-images-idx3-ubyte", 2, 9, r"is not an IDX file of unsigned bytes with 3 dimension"),
        ("train-images-idx3-ubyte", 7, 200, r"its header announces"),
        ("train-labels-idx1-ubyte", 20, 10, r"label 10 is outside 0 to 9"),
    ],
)
def test_refuses_a_wrong_byte(mnist_directory: Path, stem: str, position: int, value: int, message: str) -> None:
    path = mnist_directory / f"{stem}.gz"
    content = bytearray(gzip.decompress(path.read_bytes()))
    content[position] = value
    path.write_bytes(gzip.compress(content, 1))
    with pytest.raises(DataError, match=message) as raised:
        mnist_idx.load(mnist_directory)
    assert stem in str(raised.value)


def test_refuses_labels_of_other_images(mnist_directory: Path) -> None:
    (mnist_directory / "t10k-labels-idx1-ubyte.gz").replace(mnist_directory / "train-labels-idx1-ubyte.gz")
    with pytest.raises(DataError, match=r"holds 500 images, but .*train-labels-idx1-ubyte.gz 250 labels"):
        mnist_idx.load(mnist_directory)
