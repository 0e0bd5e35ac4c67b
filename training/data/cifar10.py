"""CIFAR-10 as its publishers distribute it: six pickled batches of planar RGB images in ``cifar-10-batches-py/``."""

import functools
from pathlib import Path

import numpy as np

from contract import DataSource
from training.data.dataset import DataSet, LabelledImages
from training.data.pickled_batch import Array, BatchError, read_pickle
from training.errors import DataError
from training.files import MEBIBYTE, read_file, reason

DIRECTORY = "cifar-10-batches-py"
LABELS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SOURCE = DataSource(
    name="CIFAR-10",
    licence="No licence is declared by its publishers; they ask for a citation.",
    citation="A. Krizhevsky, 'Learning Multiple Layers of Features from Tiny Images', technical report, 2009.",
)
_IMAGE_BYTES = 3 * 32 * 32
_MAX_BATCH_BYTES = 256 * MEBIBYTE


def load(directory: Path) -> DataSet:
    """Reads ``data_batch_1`` to ``data_batch_5`` and ``test_batch``.

    Args:
        directory: the folder ``cifar-10-batches-py`` itself.

    Returns:
        uint8 [N, 32, 32, 3]: 50,000 training and 10,000 test images in the full set.

    Raises:
        DataError: a batch is missing, truncated or mislabelled.
    """
    batches = [_read_batch(directory / f"data_batch_{number}") for number in range(1, 6)]
    train = functools.reduce(LabelledImages.followed_by, batches)
    return of_arrays(train, _read_batch(directory / "test_batch"))


def of_arrays(train: LabelledImages, test: LabelledImages) -> DataSet:
    """CIFAR-10 of images that are already in memory."""
    return DataSet("cifar10", LABELS, train, test, SOURCE, color_mode="RGB", fit="cover", polarity="any")


def _read_batch(path: Path) -> LabelledImages:
    """One batch: ``data`` uint8 [N, 3072], all red, then all green, then all blue; ``labels`` a list of N."""
    try:
        batch = read_pickle(read_file(path, _MAX_BATCH_BYTES))
    except FileNotFoundError:
        raise DataError(f"{path} is missing: {DIRECTORY}/ holds data_batch_1 to data_batch_5 and test_batch") from None
    except (OSError, BatchError) as error:
        raise DataError(f"{path} is truncated or damaged ({reason(error)}): fetch it again") from error
    written, labels = (batch.get(key) if isinstance(batch, dict) else None for key in (b"data", b"labels"))
    if not isinstance(written, Array) or not isinstance(labels, list):
        raise DataError(f"{path} is not a CIFAR-10 batch: it must hold b'data' and b'labels'")
    planar = written.bytes_2d()
    if planar is None or planar.shape[1] != _IMAGE_BYTES:
        raise DataError(f"{path}: data must be uint8 [N, {_IMAGE_BYTES}]")
    if len(labels) != len(planar):
        raise DataError(f"{path}: {len(planar)} images but {len(labels)} labels")
    if not all(type(label) is int and 0 <= label < len(LABELS) for label in labels):
        raise DataError(f"{path}: a label is outside 0 to {len(LABELS) - 1}")
    pixels = planar.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return LabelledImages(np.ascontiguousarray(pixels), np.array(labels, np.int64))
