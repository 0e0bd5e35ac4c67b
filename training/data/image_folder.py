"""Your own pictures: a folder with one sub-folder for each class, whatever the pictures' sizes and formats.

::

    flowers/                     flowers/
      daisy/  0001.jpg ...   or    train/  daisy/ ...  rose/ ...
      rose/   ...                  test/   daisy/ ...  rose/ ...

Without ``train`` and ``test``, a tenth of each class is held out as the test set.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from contract import DataSource
from training.data.dataset import DataSet, LabelledImages
from training.data.picture import PictureRule
from training.errors import DataError

_TEST_SHARE, _TEST_SEED = 0.1, 0
_PARTS = {"train", "test"}


def load(directory: Path, *, name: str, rule: PictureRule, source: DataSource, labels: Sequence[str] = ()) -> DataSet:
    """Reads every picture of a folder into memory.

    Args:
        directory: holds one sub-folder for each class, or ``train`` and ``test`` with those.
        name: of the data set.
        rule: what pictures become.
        source: publisher's name, licence and citation.
        labels: classes in the order wanted; alphabetical where empty.

    Returns:
        uint8 [N, H, W, C], classes in the order of ``labels``.

    Raises:
        DataError: a folder or file is missing, damaged or in the wrong place; the message names it.
    """
    labels = tuple(labels) or class_names(directory)
    if has_parts(directory):
        train, test = (_read(directory / part, labels, rule) for part in ("train", "test"))
        note = f"The test set is the folder {directory.name}/test."
    else:
        train, test = _hold_out(_read(directory, labels, rule))
        note = f"The test set is a random {_TEST_SHARE:.0%} of each class, which the network never saw."
    return DataSet(name, labels, train, test, source, rule.color_mode, rule.fit, rule.polarity, notes=(note,))


def has_parts(directory: Path) -> bool:
    """Whether the folder holds ``train`` and ``test`` instead of classes."""
    return {path.name for path in _visible(directory)} == _PARTS and all(path.is_dir() for path in _visible(directory))


def class_names(directory: Path) -> tuple[str, ...]:
    """The classes' names, alphabetical.

    Raises:
        DataError: there are fewer than two, or files stand beside them.
    """
    place = directory / "train" if has_parts(directory) else directory
    entries = _visible(place)
    if files := [path for path in entries if not path.is_dir()]:
        raise DataError(
            f"{files[0]} stands beside the class folders: every picture belongs into the folder of its class"
        )
    if len(entries) < 2:
        raise DataError(f"{place} must hold at least two folders, one for each class; it holds {len(entries)}")
    return tuple(path.name for path in entries)


def _visible(directory: Path) -> list[Path]:
    try:
        return sorted(path for path in directory.iterdir() if not path.name.startswith("."))
    except (FileNotFoundError, NotADirectoryError):
        raise DataError(f"{directory} is not a folder: one with a sub-folder for each class is looked for") from None


def _read(directory: Path, labels: Sequence[str], rule: PictureRule) -> LabelledImages:
    unknown = [path for path in _visible(directory) if path.name not in labels]
    if unknown:
        raise DataError(f"{unknown[0]} is none of the classes {', '.join(labels)}")
    pixels, classes = [], []
    for index, label in enumerate(labels):
        files = _visible(directory / label)
        if not files:
            raise DataError(f"{directory / label} holds no picture")
        pixels += [rule.read(path) for path in files]
        classes += [index] * len(files)
    return LabelledImages(np.stack(pixels), np.array(classes, np.int64))


def _hold_out(images: LabelledImages) -> tuple[LabelledImages, LabelledImages]:
    """(to learn from, to test on): a tenth of each class, at least one picture."""
    rng = np.random.default_rng(_TEST_SEED)
    test = np.zeros(len(images), bool)
    for index in np.unique(images.classes):
        rows = rng.permutation(np.flatnonzero(images.classes == index))
        if len(rows) < 2:
            raise DataError(f"class {index} has a single picture: one to learn from and one to test on are needed")
        test[rows[: max(1, round(_TEST_SHARE * len(rows)))]] = True
    # Shuffled, because a validation split may take the first rows.
    kept = rng.permutation(np.flatnonzero(~test))
    return images.take(kept), images.take(np.flatnonzero(test))
