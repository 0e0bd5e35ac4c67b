"""The pictures of ``--examples``. All are used for the proof, and labelled ones (a sub-folder per label) for accuracy.

With labelled pictures, the preprocessing that a network expects can be found by trying: every preprocessing with every
fit is measured, the accuracies are shown, and the best one is taken only where it is clearly better.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from contract import ColorMode, Fit
from imaging import Target
from training.data.dataset import LabelledImages
from training.data.learnt_pictures import digests
from training.data.listing import canonical, visible
from training.data.picture import read_picture
from training.errors import DataError, ImportRefusedError
from training.importing.head import Ending
from training.importing.preprocessing import Preprocessing
from training.importing.resizing import Resizing
from training.importing.source import Source

_TRIED_PREPROCESSING = ("unit", "imagenet", "signed", "caffe", "raw")
TRIED_FITS: tuple[Fit, ...] = ("cover", "stretch", "contain")
_STANDARD_ERRORS = 2.0


@dataclass(frozen=True, slots=True)
class ExampleFiles:
    """The files of the example pictures.

    Attributes:
        paths: of all pictures.
        classes: an index into the labels for each picture; empty where they are not labelled.
        ignored: the files and folders beside the folders of labels, and the folders inside them.
    """

    paths: tuple[Path, ...]
    classes: tuple[int, ...]
    ignored: tuple[Path, ...] = ()

    def read(self, target: Target) -> NDArray[np.uint8]:
        """All pictures in the network's input shape, uint8 [N, H, W, C].

        Raises:
            DataError: a picture cannot be read; the message names it.
        """
        return np.stack([read_picture(path, target) for path in self.paths])


def find_examples(folder: Path, names: Sequence[str]) -> ExampleFiles:
    """Finds the pictures of a folder.

    Args:
        folder: with pictures, or with one sub-folder per label.
        names: of the classes; the sub-folders must have these names.

    Raises:
        DataError: it holds no picture, or a sub-folder has the name of no class.
    """
    if not folder.is_dir():
        raise DataError(f"--examples {folder}: it is not a folder")
    entries = visible(folder)
    folders = [path for path in entries if path.is_dir()]
    if not folders:
        files = tuple(path for path in entries if path.is_file())
        if not files:
            raise DataError(f"--examples {folder}: it holds no picture")
        return ExampleFiles(files, ())
    places = {canonical(name): index for index, name in enumerate(names)}
    unknown = [path.name for path in folders if canonical(path.name) not in places]
    if unknown:
        raise DataError(f"--examples {folder}: the sub-folder {unknown[0]!r} is none of the {len(names)} labels")
    listed = [(file, places[canonical(path.name)]) for path in folders for file in visible(path)]
    found = [(file, index) for file, index in listed if file.is_file()]
    if not found:
        raise DataError(f"--examples {folder}: its sub-folders hold no picture")
    ignored = [path for path in entries if path not in folders] + [file for file, _ in listed if not file.is_file()]
    return ExampleFiles(tuple(file for file, _ in found), tuple(index for _, index in found), tuple(ignored))


@dataclass(frozen=True, slots=True)
class Trial:
    """The result of one preprocessing with one fit.

    Attributes:
        preprocessing: of pixel values.
        resizing: of pictures.
        right: the number of pictures that were classified correctly.
        images: the number of all pictures.
    """

    preprocessing: Preprocessing
    resizing: Resizing
    right: int
    images: int

    def row(self) -> str:
        """A line of the printed table."""
        return f"  {self.preprocessing.name:<12} {self.resizing.fit:<8} {self.right / self.images:7.2%}"


def try_all(
    source: Source,
    ending: Ending,
    examples: ExampleFiles,
    *,
    size: tuple[int, int],
    color_mode: ColorMode,
    rules: Sequence[Preprocessing] | None,
    fits: Sequence[Resizing],
) -> list[Trial]:
    """Tries every preprocessing with every fit on labelled pictures. Copies of a picture count once.

    Args:
        source: the network.
        ending: how values become probabilities.
        examples: labelled.
        size: (height, width) of the input.
        color_mode: of the input.
        rules: the preprocessings to try; None for the five with names.
        fits: the ways of resizing to try.

    Returns:
        All trials, the best first.
    """
    tried = [Preprocessing.parse(name) for name in _TRIED_PREPROCESSING] if rules is None else rules
    channels = 1 if color_mode == "L" else 3
    classes = np.array(examples.classes, np.int64)
    rows: NDArray[np.int64] | None = None
    trials = []
    for resizing in fits:
        images = examples.read(resizing.target(size, color_mode))
        if rows is None:  # the same pictures for all fits
            _, rows = np.unique(digests(LabelledImages(images, classes)), return_index=True)
        images = images[rows]
        for preprocessing in tried:
            if len(preprocessing.mean) not in (1, channels):
                continue
            answered = ending.probabilities(source.answer_pictures(images, preprocessing)).argmax(axis=1)
            trials.append(Trial(preprocessing, resizing, int((answered == classes[rows]).sum()), len(images)))
    return sorted(trials, key=lambda trial: -trial.right)


def winner(trials: Sequence[Trial], assumed: Resizing | None = None, own: Preprocessing | None = None) -> Trial:
    """The best trial, if it is better than every other preprocessing and every other fit by two standard errors.

    Args:
        trials: the best first.
        assumed: the fit that is kept where none is clearly better; None where none is assumed.
        own: the preprocessing that the network states, which is kept likewise; None where it states none.

    Raises:
        ImportRefusedError: another trial is about as good.
    """
    best = trials[0]
    stated = next((trial for trial in trials if trial.preprocessing == own), None)
    if stated is not None and not _is_clear(best, stated):
        best = stated
    rivals = [trial for trial in trials if trial.preprocessing != best.preprocessing]
    if best is not stated and rivals and not _is_clear(best, rivals[0]):
        raise _tie(best, rivals[0], best.preprocessing.name, rivals[0].preprocessing.name)
    fits = [trial for trial in trials if trial.preprocessing == best.preprocessing]
    if len(fits) == 1 or _is_clear(best, fits[1]):
        return best
    kept = next((trial for trial in fits if trial.resizing == assumed), None)
    if kept is None or _is_clear(best, kept):
        raise _tie(best, fits[1], f"--resize {best.resizing.fit}", f"--resize {fits[1].resizing.fit}")
    return kept


def _is_clear(best: Trial, second: Trial) -> bool:
    share = (best.right + second.right) / (2 * best.images)
    error = np.sqrt(2 * share * (1 - share) * best.images)
    return bool(best.right - second.right > max(1.0, _STANDARD_ERRORS * error))


def _tie(best: Trial, second: Trial, first_name: str, second_name: str) -> ImportRefusedError:
    return ImportRefusedError(
        f"--preprocessing measured: {first_name} ({best.right} of {best.images} right) and {second_name} "
        f"({second.right}) are too close on {best.images} pictures to choose; give more pictures, or say which one is "
        "right"
    )
