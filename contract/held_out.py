"""Values for decisions that were fitted on held-out pictures, on which the network was not trained.

Sources: split conformal prediction, sets by the least ambiguous rule (LAC): Sadinle, Lei and Wasserman, 2019
(arXiv 1609.00451), and by class as there; Angelopoulos and Bates (arXiv 2107.07511) for the quantile.
"""

from dataclasses import dataclass
from typing import Any

from contract import fields
from contract.errors import ContractError

COVERAGES = (0.90, 0.95, 0.98, 0.99)
"""The levels that are fitted, if there are enough held-out pictures."""
FAMILIARITY_STEPS = 100
LEAST_FAMILIARITY = 0.05
"""Below it, an answer warns; 95 % of the held-out pictures are at least so familiar."""
_MOST_IMAGES = 10**9


@dataclass(frozen=True, slots=True)
class CoverageLevel:
    """The rule of one level: a set has every label whose probability reaches its threshold, and the most probable one.

    Attributes:
        coverage: share of pictures whose set contains the right label, 0 to 1.
        thresholds: least probability of each label, [K], in label order; or of every label, [1].
    """

    coverage: float
    thresholds: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Conformal:
    """Thresholds for label sets with a guaranteed coverage (conformal prediction).

    Attributes:
        images: number of held-out pictures on which the thresholds were fitted.
        levels: the levels that requests may ask for, in rising order.
    """

    images: int
    levels: tuple[CoverageLevel, ...]


@dataclass(frozen=True, slots=True)
class Familiarity:
    """The distribution of the familiarity score over held-out pictures.

    Attributes:
        images: number of these pictures.
        score: ``entropy``: the negative entropy of the probabilities, in nats; ``features``: the graph's output
            ``familiarity``, which uses the last feature map too.
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
