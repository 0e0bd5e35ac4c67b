"""CIFAR-10 as its publishers distribute it: six pickled batches of planar RGB images in ``cifar-10-batches-py/``."""

import functools
import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from contract import DataSource
from training.data.dataset import DataSet, LabelledImages
from training.errors import DataError

DIRECTORY = "cifar-10-batches-py"
LABELS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SOURCE = DataSource(
    name="CIFAR-10",
    licence="No licence is declared by its publishers; they ask for a citation.",
    citation="A. Krizhevsky, 'Learning Multiple Layers of Features from Tiny Images', technical report, 2009.",
)
_IMAGE_BYTES = 3 * 32 * 32
_ALLOWED_GLOBALS = {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("numpy.core.multiarray", "_reconstruct"),
    # As a later Python and numpy write the same arrays.
    ("numpy._core.multiarray", "_reconstruct"),
    ("_codecs", "encode"),
}


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
        batch = _Unpickler(io.BytesIO(path.read_bytes()), encoding="bytes").load()
    except FileNotFoundError:
        raise DataError(f"{path} is missing: {DIRECTORY}/ holds data_batch_1 to data_batch_5 and test_batch") from None
    except (pickle.UnpicklingError, EOFError, ValueError, IndexError, KeyError, OSError, AttributeError) as error:
        raise DataError(f"{path} is truncated or damaged ({error}): fetch it again") from error
    try:
        planar, labels = np.asarray(batch[b"data"]), np.asarray(batch[b"labels"], dtype=np.int64)
    except (TypeError, KeyError, ValueError) as error:
        raise DataError(f"{path} is not a CIFAR-10 batch: it must hold b'data' and b'labels'") from error
    if planar.dtype != np.uint8 or planar.ndim != 2 or planar.shape[1] != _IMAGE_BYTES:
        raise DataError(f"{path}: data must be uint8 [N, {_IMAGE_BYTES}], not {planar.dtype} {list(planar.shape)}")
    if len(labels) != len(planar):
        raise DataError(f"{path}: {len(planar)} images but {len(labels)} labels")
    if len(labels) and not (labels.min() >= 0 and labels.max() < len(LABELS)):
        raise DataError(f"{path}: a label is outside 0 to {len(LABELS) - 1}")
    pixels = planar.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return LabelledImages(np.ascontiguousarray(pixels), labels)


class _Unpickler(pickle.Unpickler):
    """Reads plain containers and numpy arrays only: a downloaded pickle must not run code."""

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        if (module_name, global_name) not in _ALLOWED_GLOBALS:
            raise pickle.UnpicklingError(f"unexpected {module_name}.{global_name}")
        # numpy 2 keeps its multiarray module under another name than the 2009 pickles do.
        return super().find_class(module_name.replace("numpy.core", "numpy._core"), global_name)
