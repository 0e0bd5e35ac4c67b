"""Measures the accuracy of predictions, where the folder of each picture is its label."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from unicodedata import normalize

import numpy as np
from numpy.typing import NDArray

from contract import wilson_interval
from service.decision import most_probable
from service.errors import ScoringError
from service.file_name import shown_name


class Truth:
    """The true labels, from the folders of pictures.

    Args:
        labels: of the model, in column order.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        self._labels = labels
        exact = {label: index for index, label in enumerate(labels)}
        # macOS may write the accents of a folder's name as characters of their own (NFD).
        self._index = {normalize("NFC", label): index for label, index in exact.items()} | exact

    def compare(self, names: Iterable[str], probabilities: NDArray[np.float32]) -> list[list[int]]:
        """Counts predictions by true label.

        Args:
            names: of N pictures, with their folders.
            probabilities: float32 [N, K].

        Returns:
            [truth, prediction, count], by index of the label.

        Raises:
            ScoringError: a folder's name is not a label.
        """
        pairs = Counter(zip(map(self.index_of, names), most_probable(probabilities).tolist(), strict=True))
        return [[truth, predicted, count] for (truth, predicted), count in sorted(pairs.items())]

    def index_of(self, name: str) -> int:
        """The index of the label that a picture's folder names.

        Raises:
            ScoringError: the folder's name is not a label.
        """
        folder = PurePosixPath(name).parent.name
        index = self._index.get(folder, self._index.get(normalize("NFC", folder)))
        if index is None:
            known = ", ".join(self._labels[:20]) + (", ..." if len(self._labels) > 20 else "")
            raise ScoringError(
                f"{shown_name(name)}: its folder {folder!r} is no label of the model; labels are {known}"
            )
        return index


class Confusion:
    """Predictions by true label, of all parts of a run.

    Args:
        counts: [truth, prediction, count]; counts of the same pair are added.
    """

    def __init__(self, counts: Iterable[Sequence[int]]) -> None:
        self._counts: Counter[tuple[int, int]] = Counter()
        for truth, predicted, count in counts:
            self._counts[truth, predicted] += count

    @property
    def total(self) -> int:
        """All predictions."""
        return self._counts.total()

    @property
    def right(self) -> int:
        """Number of correct predictions."""
        return sum(count for (truth, predicted), count in self._counts.items() if truth == predicted)

    def accuracy(self) -> str:
        """The share of correct predictions, with its 95 % confidence interval (Wilson, 1927), as text."""
        low, high = wilson_interval(self.right / self.total, self.total)
        return f"{self.right / self.total:.2%} ({self.right} of {self.total}; 95 % interval {low:.2%} to {high:.2%})"

    def rows(self, labels: Sequence[str]) -> list[list[str]]:
        """The matrix as text, with its header.

        It is square: a row and a column for each label that occurs as a true or a predicted one, also where the other
        never does, in the order of the labels.
        """
        occurring = sorted({index for pair in self._counts for index in pair})
        header = ["truth", *(labels[index] for index in occurring)]
        return [header] + [
            [labels[truth], *(str(self._counts[truth, predicted]) for predicted in occurring)] for truth in occurring
        ]
