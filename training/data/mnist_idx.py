"""MNIST as its publishers distribute it: four IDX files, gzip-compressed or plain.

An IDX file is big-endian: two zero bytes, a type byte (8: unsigned byte), the number of dimensions, one 32-bit size
for each, then the values row by row (Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits").
"""

import gzip
import io
import math
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from contract import DataSource
from training.data.dataset import DataSet, LabelledImages
from training.errors import DataError
from training.files import MEBIBYTE, read_file, reason

LABELS = tuple(str(digit) for digit in range(10))
SOURCE = DataSource(
    name="MNIST",
    licence="Copyright Yann LeCun and Corinna Cortes; reported, by secondary pages, as Creative Commons "
    "Attribution-Share Alike 3.0.",
    citation="Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, 'Gradient-based learning applied to document recognition', "
    "Proceedings of the IEEE, 1998.",
)
_UNSIGNED_BYTE = 8
_MAX_BYTES = 1024 * MEBIBYTE


def find(directory: Path, stem: str) -> Path | None:
    """``stem.gz`` or ``stem`` in ``directory``; None where neither exists."""
    return next((path for path in (directory / f"{stem}.gz", directory / stem) if path.is_file()), None)


def load(directory: Path) -> DataSet:
    """Reads ``train-images-idx3-ubyte``, ``t10k-images-idx3-ubyte`` and their labels, each with or without ``.gz``.

    Args:
        directory: the folder that holds the four files.

    Returns:
        uint8 [N, 28, 28, 1]: 60,000 training and 10,000 test digits in the full set.

    Raises:
        DataError: a file is missing, truncated or mislabelled.
    """
    return of_arrays(_read_pair(directory, "train"), _read_pair(directory, "t10k"))


def of_arrays(train: LabelledImages, test: LabelledImages, notes: tuple[str, ...] = ()) -> DataSet:
    """MNIST of digits that are already in memory."""
    return DataSet(
        "mnist", LABELS, train, test, SOURCE, color_mode="L", fit="contain", polarity="light-on-dark", notes=notes
    )


def _read_pair(directory: Path, part: str) -> LabelledImages:
    image_path, images = _read_idx(directory, f"{part}-images-idx3-ubyte", dimensions=3)
    label_path, labels = _read_idx(directory, f"{part}-labels-idx1-ubyte", dimensions=1)
    if len(images) != len(labels):
        raise DataError(f"{image_path} holds {len(images)} images, but {label_path} {len(labels)} labels")
    if images.shape[1:] != (28, 28):
        raise DataError(f"{image_path}: images must be 28x28, not {images.shape[1]}x{images.shape[2]}")
    if len(labels) and labels.max() >= len(LABELS):
        raise DataError(f"{label_path}: label {labels.max()} is outside 0 to {len(LABELS) - 1}")
    return LabelledImages(images[..., np.newaxis], labels.astype(np.int64))


def _read_idx(directory: Path, stem: str, dimensions: int) -> tuple[Path, NDArray[np.uint8]]:
    path = find(directory, stem)
    if path is None:
        raise DataError(f"{directory / stem} is missing (also looked for {stem}.gz)")
    header = 4 + 4 * dimensions
    try:
        content = read_file(path, _MAX_BYTES)
        with gzip.open(io.BytesIO(content)) if path.suffix == ".gz" else io.BytesIO(content) as file:
            head = file.read(header)
            if head[:4] != bytes((0, 0, _UNSIGNED_BYTE, dimensions)) or len(head) < header:
                raise DataError(f"{path} is not an IDX file of unsigned bytes with {dimensions} dimension(s)")
            shape = struct.unpack(f">{dimensions}I", head[4:])
            expected = math.prod(shape)
            if expected > _MAX_BYTES:
                raise DataError(f"{path}: its header announces {expected} bytes; at most {_MAX_BYTES} are read")
            # At most one byte more than the header announces is decompressed, so no file can fill the memory.
            values = file.read(expected + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} is truncated or damaged ({reason(error)}): fetch it again") from error
    if len(values) != expected:
        there = f"more than {expected}" if len(values) > expected else f"{len(values)}"
        raise DataError(f"{path}: its header announces {expected} bytes, but it holds {there}: fetch it again")
    return path, np.frombuffer(values, np.uint8).reshape(shape)
