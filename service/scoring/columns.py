"""The columns of the table of predictions, the same in every format.

==========  =====================================================================================
label       file, label
top         file, label, probability; for further labels label_2, probability_2 and so on
all         file, label, probability, and p_<label> for each label
==========  =====================================================================================

For a multi-label model, ``label`` is replaced by ``labels``: those with a probability of at least 0.5, joined by ``|``.
"""

from collections.abc import Sequence
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from service.decision import likely, rank
from service.file_name import shown_name

Output = Literal["label", "top", "all"]
OUTPUTS: Final[tuple[Output, ...]] = get_args(Output)

Column = Sequence[str] | NDArray[np.float32]


class Columns:
    """Turns probabilities into columns.

    Args:
        labels: of the model, in column order, each once.
        output: which columns.
        top_k: number of labels that are listed.
        multi_label: whether a picture may have several labels or none.
    """

    def __init__(self, labels: Sequence[str], output: Output, top_k: int, *, multi_label: bool) -> None:
        self._labels = labels
        self._output = output
        self._top_k = min(top_k, len(labels))
        self._multi_label = multi_label

    def fill(self, names: Sequence[str], probabilities: NDArray[np.float32]) -> dict[str, Column]:
        """Makes the columns for some rows.

        Args:
            names: of N pictures.
            probabilities: float32 [N, K].

        Returns:
            Columns of N values by name, in the order of the table. For no pictures, all columns are there and empty.
        """
        columns: dict[str, Column] = {"file": [shown_name(name) for name in names]}
        if self._multi_label:
            columns["labels"] = ["|".join(self._labels[index] for index in likely(row)) for row in probabilities]
        ranked = rank(probabilities, self._top_k)
        for place in range(0 if self._multi_label else ranked.shape[1]):
            suffix = "" if place == 0 else f"_{place + 1}"
            columns[f"label{suffix}"] = [self._labels[index] for index in ranked[:, place].tolist()]
            if self._output != "label":
                columns[f"probability{suffix}"] = np.take_along_axis(probabilities, ranked[:, place, None], 1)[:, 0]
        if self._output == "all":
            columns |= {f"p_{label}": probabilities[:, index] for index, label in enumerate(self._labels)}
        return columns
