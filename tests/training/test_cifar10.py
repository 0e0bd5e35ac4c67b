import pickle
from pathlib import Path

import numpy as np
import pytest

from training.data import cifar10
from training.data.dataset import DataSet
from training.errors import DataError


def test_reads_the_publishers_files(cifar10_directory: Path, cifar10_data: DataSet) -> None:
    data = cifar10.load(cifar10_directory)
    np.testing.assert_array_equal(data.train.pixels, cifar10_data.train.pixels)
    np.testing.assert_array_equal(data.train.classes, cifar10_data.train.classes)
    np.testing.assert_array_equal(data.test.pixels, cifar10_data.test.pixels)
    assert data.labels[3] == "cat"
    assert data.input_shape == (32, 32, 3)


def test_names_a_missing_batch(cifar10_directory: Path) -> None:
    (cifar10_directory / "data_batch_3").unlink()
    with pytest.raises(DataError, match=r"data_batch_3 is missing"):
        cifar10.load(cifar10_directory)


def test_names_a_truncated_batch(cifar10_directory: Path) -> None:
    path = cifar10_directory / "data_batch_2"
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(DataError, match=r"data_batch_2 is truncated or damaged"):
        cifar10.load(cifar10_directory)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({b"labels": [11] * 32}, r"data_batch_1: a label is outside 0 to 9"),
        ({b"labels": [1] * 31}, r"data_batch_1: 32 images but 31 labels"),
        ({b"data": np.zeros((32, 3071), np.uint8)}, r"data_batch_1: data must be uint8 \[N, 3072\]"),
        ({b"labels": None}, r"data_batch_1 is not a CIFAR-10 batch"),
    ],
)
def test_refuses_a_mislabelled_batch(cifar10_directory: Path, change: dict[bytes, object], message: str) -> None:
    path = cifar10_directory / "data_batch_1"
    path.write_bytes(pickle.dumps(pickle.loads(path.read_bytes()) | change, protocol=2))
    with pytest.raises(DataError, match=message):
        cifar10.load(cifar10_directory)


class _Harmful:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("this must not run",)


def test_a_pickle_runs_no_code(cifar10_directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (cifar10_directory / "test_batch").write_bytes(pickle.dumps(_Harmful()))
    with pytest.raises(DataError, match=r"test_batch is truncated or damaged \(unexpected builtins.print\)"):
        cifar10.load(cifar10_directory)
    assert capsys.readouterr().out == ""
