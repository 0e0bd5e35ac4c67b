"""Small real data sets, also written in their publishers' file formats."""

import gzip
import os
import pickle
import struct
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")  # the networks are small, and other tests run beside these

from training.data import cifar10, mnist_idx
from training.data.dataset import DataSet, LabelledImages
from training.publish import publishing

FIXTURES = Path(__file__).parents[1] / "fixtures"


def _subset(name: str) -> tuple[LabelledImages, LabelledImages]:
    with np.load(FIXTURES / f"{name}_subset.npz") as arrays:
        train, test = (
            LabelledImages(arrays[f"{part}_pixels"], arrays[f"{part}_classes"].astype(np.int64))
            for part in ("train", "test")
        )
    return train, test


@pytest.fixture(scope="session")
def cifar10_data() -> DataSet:
    """160 training and 80 test images of the real CIFAR-10."""
    return cifar10.of_arrays(*_subset("cifar10"))


@pytest.fixture(scope="session")
def mnist_data() -> DataSet:
    """500 training and 250 test digits of the real MNIST."""
    return mnist_idx.of_arrays(*_subset("mnist"))


@pytest.fixture
def cifar10_directory(tmp_path: Path, cifar10_data: DataSet) -> Path:
    """``cifar-10-batches-py/`` as its publishers lay it out, with fewer images."""
    directory = tmp_path / "cifar-10-batches-py"
    directory.mkdir()
    parts = np.array_split(np.arange(len(cifar10_data.train)), 5)
    batches = {f"data_batch_{number}": cifar10_data.train.take(rows) for number, rows in enumerate(parts, start=1)}
    for name, images in {**batches, "test_batch": cifar10_data.test}.items():
        planar = images.pixels.transpose(0, 3, 1, 2).reshape(len(images), -1)
        content = {b"data": planar, b"labels": images.classes.tolist()}
        (directory / name).write_bytes(pickle.dumps(content, protocol=2))
    return directory


def _write_mnist(directory: Path, data: DataSet) -> Path:
    directory.mkdir()
    for part, images in (("train", data.train), ("t10k", data.test)):
        header = struct.pack(">4B3I", 0, 0, 8, 3, len(images), 28, 28)
        content = header + images.pixels.tobytes()
        (directory / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(content, 1))
        labels = struct.pack(">4BI", 0, 0, 8, 1, len(images)) + images.classes.astype(np.uint8).tobytes()
        (directory / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(labels, 1))
    return directory


@pytest.fixture
def mnist_directory(tmp_path: Path, mnist_data: DataSet) -> Path:
    """``mnist/`` with the four gzip-compressed IDX files, with fewer digits."""
    return _write_mnist(tmp_path / "mnist", mnist_data)


@pytest.fixture(scope="session")
def shared_mnist_directory(tmp_path_factory: pytest.TempPathFactory, mnist_data: DataSet) -> Path:
    """The same folder, shared by all tests that only read it."""
    return _write_mnist(tmp_path_factory.mktemp("shared") / "mnist", mnist_data)


@pytest.fixture
def write_kaggle_csv() -> Callable[[Path, LabelledImages, bool], Path]:
    """Writes digits as Kaggle does: ``write(path, images, labelled)``."""

    def write(path: Path, images: LabelledImages, labelled: bool) -> Path:
        header = ["label"] * labelled + [f"pixel{number}" for number in range(784)]
        table = images.pixels.reshape(len(images), -1)
        if labelled:
            table = np.column_stack([images.classes.astype(np.uint8), table])
        np.savetxt(path, table, "%d", ",", header=",".join(header), comments="")
        return path

    return write


@pytest.fixture
def another_publishes_first(monkeypatch: pytest.MonkeyPatch) -> Callable[[ModuleType], None]:
    """Lets another process publish a version of the same model just before a module does: ``begin(module)``."""

    def begin(module: ModuleType) -> None:
        def publish_second(repository: Path, name: str, version: str | None) -> AbstractContextManager[Path]:
            with publishing(repository, name, None) as folder:
                (folder / "model.onnx").write_text("of another process")
            return publishing(repository, name, version)

        monkeypatch.setattr(module, "publishing", publish_second)

    return begin


@pytest.fixture
def picture_folder(tmp_path: Path, cifar10_data: DataSet) -> Path:
    """Real pictures of three classes, one sub-folder each, in several formats and sizes."""
    directory = tmp_path / "pictures"
    for label, suffix in (("bird", "png"), ("ship", "jpg"), ("truck", "webp")):
        place = directory / label
        place.mkdir(parents=True)
        rows = np.flatnonzero(cifar10_data.train.classes == cifar10_data.labels.index(label))[:10]
        for row in rows:
            picture = Image.fromarray(cifar10_data.train.pixels[row])
            picture.resize((48, 40)).save(place / f"{row}.{suffix}")
    return directory
