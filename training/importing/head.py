"""How a network ends, and how its values become probabilities: softmax, logits, one sigmoid unit, K sigmoids."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.errors import ImportRefusedError
from training.importing.terms import Head, LastOperation, ValuesAre

_LEAST_PROBABILITY = 1e-30  # whose logarithm is still finite in float32
_SUM_TOLERANCE = 1e-2  # float16 rounds a thousand probabilities

CHOICES = """\
  --head softmax       the values are probabilities of which exactly one class is true; they sum to 1
  --head logits        the values are logits: a softmax is added
  --head sigmoid       one value, the probability (or logit) of the second of two labels
  --head multi-label   K independent probabilities (or logits): several labels, or none, may be true"""


@dataclass(frozen=True, slots=True)
class Ending:
    """What the columns of a classifier's output are.

    Attributes:
        head: as it is served.
        values_are: what the graph computes: probabilities, or logits, to which softmax or sigmoid is added.
        columns: of the graph's output.
    """

    head: Head
    values_are: ValuesAre
    columns: int

    @property
    def classes(self) -> int:
        """K: one sigmoid unit answers two classes."""
        return 2 if self.head == "sigmoid" else self.columns

    def probabilities(self, values: NDArray[np.generic], temperature: float = 1.0) -> NDArray[np.float64]:
        """What a notebook would compute: [N, columns] to float64 [N, K]."""
        numbers = values.reshape(len(values), self.columns).astype(np.float64)
        is_sigmoid = self.head in ("sigmoid", "multi-label")
        if self.values_are == "logits" or temperature != 1:
            logits = self.logits(numbers) / temperature
            if is_sigmoid:
                numbers = 0.5 * (1 + np.tanh(logits / 2))  # the sigmoid, without overflow
            else:
                numbers = np.exp(logits - logits.max(axis=1, keepdims=True))
                numbers /= numbers.sum(axis=1, keepdims=True)
        return np.concatenate([1 - numbers, numbers], axis=1) if self.head == "sigmoid" else numbers

    def logits(self, values: NDArray[np.generic]) -> NDArray[np.float64]:
        """The logits of [N, columns] values, float64 [N, columns]."""
        numbers = values.reshape(len(values), self.columns).astype(np.float64)
        if self.values_are == "logits":
            return numbers
        floored = np.maximum(numbers, _LEAST_PROBABILITY)
        if self.head in ("sigmoid", "multi-label"):
            return -np.log(np.maximum(1 / floored - 1, _LEAST_PROBABILITY))
        return np.log(floored)


def find_ending(
    last: LastOperation, values: NDArray[np.generic], wanted: Head | None, labels: int | None, origin: str
) -> Ending:
    """Finds out how a network ends, and checks it against what it answers.

    Args:
        last: the last operation of its graph.
        values: what it answered on some pictures, [N, columns].
        wanted: what somebody said; None where the graph is to tell.
        labels: how many labels were given, where any were.
        origin: for messages.

    Raises:
        ImportRefusedError: the answers are not what was said, or what they are cannot be told.
    """
    columns = values.shape[1]
    head = wanted or _told_by_graph(last, columns, labels, origin)
    if head == "sigmoid" and columns != 1:
        raise ImportRefusedError(f"{origin}: --head sigmoid is for one value; the network answers {columns}\n{CHOICES}")
    if head != "sigmoid" and columns == 1:
        raise ImportRefusedError(f"{origin}: the network answers one value, which only --head sigmoid makes classes of")
    numbers = values.astype(np.float64)
    in_range = bool(((numbers >= 0) & (numbers <= 1 + _SUM_TOLERANCE)).all())
    sums_to_one = bool(np.allclose(numbers.sum(axis=1), 1, atol=_SUM_TOLERANCE))
    if head == "softmax" and not (in_range and sums_to_one):
        raise ImportRefusedError(
            f"{origin}: the answers do not sum to 1 (the first sums to {numbers[0].sum():.4g}), so they are not what "
            f"a softmax gives\n{CHOICES}"
        )
    if head == "logits" and last == "softmax":
        raise ImportRefusedError(f"{origin}: the graph ends in a softmax; a second one would flatten its answers")
    if head in ("sigmoid", "multi-label"):
        return Ending(head, "probabilities" if last == "sigmoid" else "logits", columns)
    return Ending(head, "probabilities" if head == "softmax" else "logits", columns)


def _told_by_graph(last: LastOperation, columns: int, labels: int | None, origin: str) -> Head:
    if last == "softmax":
        return "softmax"
    if last == "sigmoid" and columns == 1:
        return "sigmoid"
    if last == "sigmoid":
        raise ImportRefusedError(
            f"{origin}: the network ends in {columns} sigmoids. If each label is true or not by itself, say "
            "--head multi-label; if exactly one is true, the network was trained for something else"
        )
    if columns == 1 and labels == 2:
        return "sigmoid"
    return "logits"
