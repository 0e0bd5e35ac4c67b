"""Compares the served sets of labels with sets by RAPS: ``python -m bench.trust.raps MODEL.onnx DATA``.

Source: Angelopoulos et al., 2021 (arXiv 2009.14193), regularised adaptive prediction sets, here not randomised; APS
where the penalty is 0. Temperature scaling can enlarge them (arXiv 2402.05806), so both are measured: probabilities as
served, and with the temperature undone.
"""

import math
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

from contract import COVERAGES
from training.data import sources
from training.decisions import holdout_of
from training.held_out import Sets, fit_conformal, halves, label_sets, strict_coverage
from training.onnx_classifier import OnnxClassifier
from training.scores import Classes, Probabilities
from training.temperature import softmax


class RapsRule(NamedTuple):
    """The two constants of RAPS.

    Attributes:
        penalty: of each label beyond the free ones.
        free: labels without a penalty.
    """

    penalty: float
    free: int


RULES = (RapsRule(0.0, 1), RapsRule(0.01, 1), RapsRule(0.1, 1), RapsRule(0.1, 2), RapsRule(1.0, 1), RapsRule(1.0, 2))


def raps_quantile(probabilities: Probabilities, classes: Classes, coverage: float, rule: RapsRule) -> float:
    """Fits the quantile of the true labels' scores on held-out pictures.

    Args:
        probabilities: float32 [N, K].
        classes: the truth, [N].
        coverage: 0 to 1.
        rule: the constants.
    """
    fitted = np.sort(_scores(probabilities, rule)[np.arange(len(classes)), classes])
    place = math.ceil((len(fitted) + 1) * strict_coverage(len(fitted), coverage) - 1e-9)
    return float(fitted[min(place, len(fitted)) - 1])


def raps_sets(probabilities: Probabilities, quantile: float, rule: RapsRule) -> Sets:
    """Which labels are in the set of each picture, bool [N, K]; none is empty."""
    sets: Sets = _scores(probabilities, rule) <= quantile
    sets[np.arange(len(sets)), probabilities.argmax(axis=1)] = True
    return sets


def _scores(probabilities: Probabilities, rule: RapsRule) -> Probabilities:
    """The cumulative probability down to each label's rank, plus the penalty of that rank."""
    order = np.argsort(-probabilities, axis=1, kind="stable")
    ranked = np.take_along_axis(probabilities, order, axis=1).cumsum(axis=1)
    ranked += rule.penalty * np.maximum(0, np.arange(probabilities.shape[1]) + 1 - rule.free)
    scores = np.empty_like(ranked)
    np.put_along_axis(scores, order, ranked, axis=1)
    return scores


def _tempered(probabilities: Probabilities, power: float) -> Probabilities:
    return softmax(power * np.log(np.maximum(probabilities, 1e-30).astype(np.float64))).astype(np.float32)


def main(model: Path, place: Path) -> None:
    """Prints coverage and mean size on the test set, of LAC and of each RAPS rule."""
    classifier = OnnxClassifier.open(model)
    said = classifier.metadata
    data = sources.load_for(said, place)
    _, places = holdout_of(said).rows(data.train)
    held_out = data.train.take(places[halves(len(places))[1]])
    fitted, tested = classifier.predict(held_out.pixels), classifier.predict(data.test.pixels)
    rows = np.arange(len(tested))
    print(f"{model}, {len(held_out)} held out, {len(tested)} test images: coverage %, mean size")
    for name, power in (("as served", 1.0), (f"temperature {said.temperature:.3f} undone", said.temperature)):
        fits, tests = _tempered(fitted, power), _tempered(tested, power)
        lac = fit_conformal(fits, held_out.classes)
        found: dict[str, list[Sets]] = {
            "LAC": [label_sets(tests, level.thresholds) for level in lac.levels] if lac else []
        }
        for rule in RULES:
            quantiles = [raps_quantile(fits, held_out.classes, coverage, rule) for coverage in COVERAGES]
            title = f"RAPS {rule.penalty:g}/{rule.free}" if rule.penalty else "APS"
            found[title] = [raps_sets(tests, quantile, rule) for quantile in quantiles]
        print(f"{name:32}" + "".join(f"{coverage:14g}" for coverage in COVERAGES))
        for title, sets in found.items():
            cells = [f"{100 * one[rows, data.test.classes].mean():8.2f}{one.sum(axis=1).mean():6.2f}" for one in sets]
            print(f"  {title:30}" + "".join(cells))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
