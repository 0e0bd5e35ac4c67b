"""Fits, on held-out pictures, the thresholds of sets of labels and the quantiles of the familiarity score.

::

    probabilities of held-out pictures ─┬─ sets: the quantile of the true labels' probabilities, by class where needed
                                        └─ familiarity: the quantiles of its score

Sets by the least ambiguous rule (LAC) were compared with RAPS (:mod:`bench.trust.raps`): they are smaller on every
model.

The usual quantile of split conformal prediction reaches the coverage on average over many draws of held-out pictures,
and misses it in about half of them. A model has only one draw. So a stricter quantile is taken, with which 95 of 100
draws reach the coverage (Vovk, 2012, arXiv 1209.2673, proposition 2a).
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from contract import COVERAGES, Conformal, CoverageLevel, Familiarity
from contract.held_out import FAMILIARITY_STEPS
from training.scores import Classes, Probabilities

LEAST_OUTSIDE = 10
"""A level needs this many held-out pictures outside its sets: 1,000 pictures for 0.99. Fewer fit it too inexactly."""
LEAST_FAMILIAR = 100
MOST_BROKEN = 0.05
"""Share of the draws of held-out pictures whose thresholds may cover less than the level."""
MOST_SHORT = 0.05
"""The coverage of a class may be this far below the level; where it is lower, each class gets its own threshold."""

Sets = NDArray[np.bool_]
Scores = NDArray[np.float32]


def halves(count: int) -> tuple[slice, slice]:
    """Which held-out pictures fit the temperature, and which fit the thresholds of decisions: they alternate.

    Below 200 pictures all of them fit the temperature, and no thresholds are fitted, which need 100 of their own.
    """
    if count < 2 * LEAST_FAMILIAR:
        return slice(None), slice(0, 1)
    return slice(0, None, 2), slice(1, None, 2)


def fit_conformal(probabilities: Probabilities, classes: Classes) -> Conformal | None:
    """Fits the thresholds of every level that there are enough pictures for.

    Args:
        probabilities: of held-out pictures, float32 [N, K].
        classes: the truth, [N].

    Returns:
        The levels; None where the pictures are too few for any.
    """
    levels = tuple(
        CoverageLevel(coverage, fit_level(probabilities, classes, coverage))
        for coverage in COVERAGES
        if len(classes) >= pictures_for(coverage)
    )
    return Conformal(len(classes), levels) if levels else None


def pictures_for(coverage: float) -> int:
    """The least number of held-out pictures that a level is fitted on."""
    return math.ceil(LEAST_OUTSIDE / (1 - coverage) - 1e-6)


def fit_level(probabilities: Probabilities, classes: Classes, coverage: float) -> tuple[float, ...]:
    """The threshold of one level, or one for each class where a common threshold covers some class much less."""
    count = probabilities.shape[1]
    strict = strict_coverage(len(classes), coverage)
    by_class = _by_class(probabilities, classes, strict)
    common = (_threshold(_of_truth(probabilities, classes), strict),)
    if by_class is None:
        return common
    half = np.random.default_rng(0).permutation(len(classes)) < len(classes) // 2
    covered = np.zeros(len(classes), bool)
    for fitted in (half, ~half):  # each half is measured with the threshold of the other
        threshold = _threshold(_of_truth(probabilities[fitted], classes[fitted]), strict)
        sets = label_sets(probabilities[~fitted], (threshold,))
        covered[~fitted] = sets[np.arange(len(sets)), classes[~fitted]]
    shares = np.array([covered[classes == index].mean() for index in range(count)])
    # Two standard errors are subtracted, so that sampling error does not hide a class that is covered too little.
    errors = np.sqrt(shares * (1 - shares) / np.bincount(classes, minlength=count))
    return by_class if (shares - 2 * errors < coverage - MOST_SHORT).any() else common


def strict_coverage(images: int, coverage: float) -> float:
    """The share of held-out pictures to cover, so that 95 of 100 draws of them cover ``coverage`` of all pictures.

    With J of N held-out pictures outside the sets, the probability that a draw covers less is at most that of J or
    fewer successes in N trials with probability 1 - ``coverage``. The largest J is taken for which this is at most 5 %.

    Args:
        images: N.
        coverage: the level, 0 to 1.
    """
    outside = np.arange(1, images + 1)
    ratios = np.log((images - outside + 1) / outside) + math.log((1 - coverage) / coverage)
    logs = images * math.log(coverage) + np.concatenate(([0.0], np.cumsum(ratios)))
    allowed = int(np.searchsorted(np.cumsum(np.exp(logs)), MOST_BROKEN, side="right")) - 1
    return (images - allowed) / (images + 1)


def label_sets(probabilities: Probabilities, thresholds: Sequence[float]) -> Sets:
    """Which labels are in the set of each picture, bool [N, K]: those that reach their threshold, and the top one."""
    sets: Sets = probabilities >= np.array(thresholds, np.float32)
    sets[np.arange(len(sets)), probabilities.argmax(axis=1)] = True
    return sets


def were_fitted_on(conformal: Conformal, probabilities: Probabilities, classes: Classes) -> bool:
    """Whether the thresholds were fitted on some of these pictures: each is the probability of a true label among them.

    Args:
        conformal: of a model.
        probabilities: its answers, float32 [N, K].
        classes: the truth, [N].
    """
    thresholds = np.array([threshold for level in conformal.levels for threshold in level.thresholds])
    thresholds = thresholds[(thresholds > 0) & (thresholds < 0.99)]  # many other pictures may come as close to 0 or 1
    of_truth = np.sort(_of_truth(probabilities, classes).astype(np.float64))
    tolerances = 1e-5 * np.minimum(thresholds, 1 - thresholds)  # the last bits depend on the other pictures of a batch
    first, end = (np.searchsorted(of_truth, thresholds + sign * tolerances) for sign in (-1, 1))
    return len(thresholds) > 0 and bool((first < end).all())


def fit_familiarity(probabilities: Probabilities, of_features: Scores | None = None) -> Familiarity | None:
    """The distribution of the score over held-out pictures; None where there are fewer than 100.

    Args:
        probabilities: float32 [N, K].
        of_features: the graph's output ``familiarity``, [N]; None where it has none.
    """
    if len(probabilities) < LEAST_FAMILIAR:
        return None
    scores = negative_entropy(probabilities) if of_features is None else of_features.astype(np.float64)
    steps = np.arange(FAMILIARITY_STEPS + 1) / FAMILIARITY_STEPS
    kind = "entropy" if of_features is None else "features"
    return Familiarity(len(scores), kind, tuple(np.quantile(scores, steps).tolist()))


def negative_entropy(probabilities: Probabilities) -> NDArray[np.float64]:
    """Negative entropy in nats, float64 [N]: the surer the model is, the higher it is."""
    wide = probabilities.astype(np.float64)
    scores: NDArray[np.float64] = (wide * np.log(np.maximum(wide, 1e-30))).sum(axis=1)
    return scores


def _of_truth(probabilities: Probabilities, classes: Classes) -> Probabilities:
    return probabilities[np.arange(len(classes)), classes]


def _threshold(of_truth: Probabilities, coverage: float) -> float:
    """The lowest probability that is inside the sets: the finite-sample quantile of split conformal prediction."""
    place = math.ceil((len(of_truth) + 1) * coverage - 1e-9)
    return 0.0 if place > len(of_truth) else float(np.sort(of_truth)[::-1][place - 1])


def _by_class(probabilities: Probabilities, classes: Classes, coverage: float) -> tuple[float, ...] | None:
    """A threshold for each class; None where a class has too few pictures for one."""
    counts = np.bincount(classes, minlength=probabilities.shape[1])
    if counts.min() * (1 - coverage) < 1 + coverage:
        return None
    of_truth = _of_truth(probabilities, classes)
    return tuple(_threshold(of_truth[classes == index], coverage) for index in range(len(counts)))
