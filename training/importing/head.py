"""The head of a network, and how its values become probabilities: softmax, logits, one sigmoid unit, K sigmoids."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.errors import ImportRefusedError
from training.importing.terms import Head, LastOperation, ValuesAre

_LEAST_PROBABILITY = 1e-30  # its logarithm is still finite in float32
_SUM_TOLERANCE = 1e-2  # the rounding error of a thousand probabilities in float16

CHOICES = """\
  --head softmax       the values are probabilities of which exactly one class is true; they sum to 1
  --head logits        the values are logits: a softmax is added
  --head sigmoid       one value, the probability (or logit) of the second of two labels
  --head multi-label   K independent probabilities (or logits): several labels, or none, may be true"""

_VALUES = """\
  --values probabilities   the graph applies the sigmoid itself
  --values logits          it does not, and a sigmoid is added"""


@dataclass(frozen=True, slots=True)
class Ending:
    """The meaning of the columns of a classifier's output.

    Attributes:
        head: as it is served.
        values_are: what the graph computes: probabilities, or logits, to which softmax or sigmoid is added.
        columns: the number of columns of the graph's output.
    """

    head: Head
    values_are: ValuesAre
    columns: int

    @property
    def classes(self) -> int:
        """The number of classes, K: 2 for one sigmoid unit."""
        return 2 if self.head == "sigmoid" else self.columns

    def probabilities(self, values: NDArray[np.generic], temperature: float = 1.0) -> NDArray[np.float64]:
        """The probabilities of [N, columns] values, float64 [N, K], in plain numpy."""
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
    last: LastOperation,
    values: NDArray[np.generic],
    wanted: Head | None,
    labels: int | None,
    *,
    origin: str,
    said: ValuesAre | None = None,
) -> Ending:
    """Finds the head of a network, and checks it against the network's answers.

    Args:
        last: the last operation of its graph.
        values: its answers for some pictures, [N, columns].
        wanted: the stated head; None to find it from the graph.
        labels: the number of labels; None where none are given.
        origin: for messages.
        said: the stated kind of a sigmoid head's values; None where it is not stated.

    Raises:
        ImportRefusedError: the answers contradict the statements, or their kind cannot be found.
    """
    columns = values.shape[1]
    head = wanted or _told_by_graph(last, columns, labels, origin)
    if head == "sigmoid" and columns != 1:
        raise ImportRefusedError(
            f"{origin}: --head sigmoid is for one value; the network answers {columns}; these are the heads:", CHOICES
        )
    if head != "sigmoid" and columns == 1:
        raise ImportRefusedError(f"{origin}: the network answers one value, which only --head sigmoid can take")
    numbers = values.astype(np.float64)
    if head in ("sigmoid", "multi-label"):
        return Ending(head, _values_of_sigmoids(last, numbers, said, origin), columns)
    if said is not None:
        raise ImportRefusedError(f"--values {said}: it belongs to --head sigmoid and multi-label; leave it out")
    is_distribution = _are_probabilities(numbers) and np.allclose(numbers.sum(axis=1), 1, atol=_SUM_TOLERANCE)
    if head == "softmax" and not is_distribution:
        raise ImportRefusedError(
            f"{origin}: the answers do not sum to 1 (the first sums to {numbers[0].sum():.4g}), so they are not what "
            "a softmax gives; these are the heads:",
            CHOICES,
        )
    if _are_shares_of_a_whole(numbers):
        raise ImportRefusedError(
            f"{origin}: the answers are never negative and sum to {numbers[0].sum():.4g} for every picture, as "
            "probabilities do that are multiplied; a softmax would change them. Export it without that factor"
        )
    if head == "logits":
        _check_logits(last, numbers, origin, is_distribution=is_distribution, is_said=wanted is not None)
    return Ending(head, "probabilities" if head == "softmax" else "logits", columns)


def _check_logits(
    last: LastOperation, numbers: NDArray[np.float64], origin: str, *, is_distribution: bool, is_said: bool
) -> None:
    """Checks that a softmax belongs after the graph."""
    if last == "softmax" or is_distribution:  # also after a dense layer that adds probabilities up
        why = "the graph ends in a softmax" if last == "softmax" else "its answers are from 0 to 1 and sum to 1"
        raise ImportRefusedError(f"{origin}: {why}; another softmax would flatten them. Say --head softmax")
    if last == "sigmoid":
        raise ImportRefusedError(
            f"{origin}: the graph ends in sigmoids, whose values are no logits. Say --head multi-label if each label "
            "is true or not by itself; if a softmax follows the sigmoids, export it inside the graph"
        )
    # The values of a dense layer are logits, even if these few lie in 0 to 1.
    if not is_said and (last == "bounded" or (last != "linear" and _are_probabilities(numbers))):
        why = "ends in a function such as tanh" if last == "bounded" else "answers values from 0 to 1 only"
        raise ImportRefusedError(
            f"{origin}: the network {why}, so the kind of its values is not clear; say it:", CHOICES
        )


def _are_probabilities(numbers: NDArray[np.float64]) -> bool:
    return bool(((numbers >= 0) & (numbers <= 1 + _SUM_TOLERANCE)).all())


def _are_shares_of_a_whole(numbers: NDArray[np.float64]) -> bool:
    """Whether the values of each picture sum to the same number other than 1, such as percentages."""
    sums = numbers.sum(axis=1)
    is_same = bool(sums[0] > 0 and np.allclose(sums, sums[0], rtol=_SUM_TOLERANCE))
    differs = bool(np.ptp(numbers, axis=0).max() > _SUM_TOLERANCE * sums[0])  # else every sum would be the same
    return is_same and differs and bool((numbers >= 0).all()) and abs(sums[0] - 1) > _SUM_TOLERANCE


def _values_of_sigmoids(
    last: LastOperation, numbers: NDArray[np.float64], said: ValuesAre | None, origin: str
) -> ValuesAre:
    """Whether the graph applies the sigmoid: a second one would put every probability between 0.5 and 0.73."""
    if last == "softmax":
        why = "of one value is always 1" if numbers.shape[1] == 1 else "says that exactly one label is true"
        raise ImportRefusedError(f"{origin}: the graph ends in a softmax, which {why}; a sigmoid does not belong to it")
    fits = _are_probabilities(numbers)
    if said == "probabilities" and not fits:
        worst = numbers.flat[np.abs(numbers - 0.5).argmax()]
        raise ImportRefusedError(f"--values probabilities: {origin} answers {worst:.4g}, which is none; say logits")
    if last == "sigmoid" and said == "logits":
        raise ImportRefusedError(f"--values logits: {origin} ends in a sigmoid already; leave it out")
    if said is not None:
        return said
    if last == "sigmoid":
        return "probabilities"
    if last == "bounded":
        raise ImportRefusedError(
            f"{origin}: the network ends in a function such as tanh, whose values are neither probabilities nor "
            "logits; export it without, or say what they are:",
            _VALUES,
        )
    if last == "positive":
        raise ImportRefusedError(
            f"{origin}: the network ends in a function such as ReLU, whose values are never negative; as logits they "
            "would make every probability at least 0.5. Export it without, or say what they are:",
            _VALUES,
        )
    if last != "linear":  # exp and relu6, for example, have few or no negative values, which logits need
        answers = "values from 0 to 1" if fits else "values of no certain kind"
        raise ImportRefusedError(
            f"{origin}: the network answers {answers} and ends in neither a dense layer nor a sigmoid, so whether they "
            "are probabilities or logits is not clear; say it:",
            _VALUES,
        )
    return "logits"


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
