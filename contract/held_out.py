"""What was fitted on held-out pictures, which the network did not learn from, for decisions by probabilities.

Sources: split conformal prediction, sets by the least ambiguous rule (LAC): Sadinle, Lei and Wasserman, 2019
(arXiv 1609.00451), and by class as there; Angelopoulos and Bates (arXiv 2107.07511) for the quantile.
"""

from dataclasses import dataclass
from typing import Any

from contract import fields
from contract.errors import ContractError

COVERAGES = (0.90, 0.95, 0.98, 0.99)
"""The levels that are fitted, where there are enough held-out pictures."""
FAMILIARITY_STEPS = 100
_MOST_IMAGES = 10**9


@dataclass(frozen=True, slots=True)
class CoverageLevel:
    """The rule of one level: a set has every label that is at least so probable, and always the most probable one.

    Attributes:
        coverage: share of pictures whose set holds the truth, 0 to 1.
        thresholds: least probability of each label, [K], in label order; or of every label, [1].
    """

    coverage: float
    thresholds: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Conformal:
    """Sets of labels with a promise.

    Attributes:
        images: held-out pictures that the thresholds were fitted on.
        levels: that can be asked for, rising.
    """

    images: int
    levels: tuple[CoverageLevel, ...]


@dataclass(frozen=True, slots=True)
class Familiarity:
    """How familiar held-out pictures look to the model.

    Attributes:
        images: how many.
        score: what is compared: ``entropy`` is the negative entropy of the probabilities, in nats; ``features`` the
            graph's output ``familiarity``, which is made of the last feature map as well.
        quantiles: of the score over these pictures, at 0, 1, ... 100 %: [101], rising.
    """

    images: int
    score: str
    quantiles: tuple[float, ...]


def read_conformal(value: Any, field: str, classes: int) -> Conformal:
    """Reads a JSON value.

    Args:
        value: of the field.
        field: its name.
        classes: K.
    """
    level = fields.members(
        {
            "coverage": fields.number(0, 1, is_open=True),
            "thresholds": fields.sequence(fields.number(0, 1), least=1, most=classes),
        }
    )
    read = fields.members(
        {"images": fields.whole(1, _MOST_IMAGES), "levels": fields.sequence(level, least=1, most=100)}
    )(value, field)
    levels = tuple(CoverageLevel(**found) for found in read["levels"])
    if any(len(found.thresholds) not in (1, classes) for found in levels):
        raise ContractError(f"metadata field {field}: a level has one threshold, or one for each label")
    coverages = [found.coverage for found in levels]
    if coverages != sorted(set(coverages)) or coverages[-1] >= 1:
        raise ContractError(f"metadata field {field}: the levels do not rise, or reach 1")
    return Conformal(read["images"], levels)


def read_familiarity(value: Any, field: str) -> Familiarity:
    """Reads a JSON value."""
    count = FAMILIARITY_STEPS + 1
    read = fields.members(
        {
            "images": fields.whole(1, _MOST_IMAGES),
            "score": fields.choice(("entropy", "features")),
            "quantiles": fields.sequence(fields.number(-1e6, 1e6), least=count, most=count),
        }
    )(value, field)
    if list(read["quantiles"]) != sorted(read["quantiles"]):
        raise ContractError(f"metadata field {field}.quantiles: they do not rise")
    return Familiarity(**read)
