"""Thresholds from held-out pictures reach their coverage on other pictures."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from bench.trust.raps import RULES, raps_quantile, raps_sets
from contract import COVERAGES, ContractError, CoverageLevel, ModelMetadata, wilson_interval
from contract.held_out import LEAST_FAMILIARITY
from service.decision.familiarity import familiarity_of
from service.decision.label_sets import label_sets as served_sets
from training.held_out import (
    fit_conformal,
    fit_familiarity,
    fit_level,
    label_sets,
    negative_entropy,
    strict_coverage,
    were_fitted_on,
)
from training.onnx_classifier import OnnxClassifier
from training.scores import Classes, Probabilities
from training.trust import measure_trust

CIFAR10 = Path("models/cifar10/2/model.onnx")


def drawn(count: int, seed: int, labels: int = 10, sharpness: float = 2.0) -> tuple[Probabilities, Classes]:
    """Calibrated probabilities, since the true classes are drawn from them; label 0 is harder than the others."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, sharpness, (count, labels))
    powers = np.exp(logits)
    shares = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
    classes = (shares.cumsum(axis=1) < random.random((count, 1))).sum(axis=1).clip(max=labels - 1)
    return shares, classes.astype(np.int64)


def covered(sets: np.ndarray, classes: Classes) -> float:
    return float(sets[np.arange(len(classes)), classes].mean())


@pytest.mark.parametrize("coverage", COVERAGES)
def test_sets_hold_the_truth_as_often_as_asked_and_are_the_smallest(coverage: float) -> None:
    fitted, truth = drawn(5000, 1)
    others, other_truth = drawn(20000, 2)
    sets = label_sets(others, fit_level(fitted, truth, coverage))
    assert covered(sets, other_truth) >= coverage - 0.01
    assert sets.any(axis=1).all()
    for rule in RULES:
        raps = raps_sets(others, raps_quantile(fitted, truth, coverage, rule), rule)
        assert covered(raps, other_truth) >= coverage - 0.01
        assert sets.sum() <= 1.01 * raps.sum()


@pytest.mark.parametrize("coverage", COVERAGES)
@pytest.mark.parametrize("images", [1000, 2500])
def test_nineteen_of_twenty_draws_keep_the_promise(coverage: float, images: int) -> None:
    random, kept = np.random.default_rng(0), 0
    for _ in range(2000):
        # If the threshold is the score of a random picture, the share of pictures above it is uniform.
        above = np.sort(random.random(images))
        kept += above[round(strict_coverage(images, coverage) * (images + 1)) - 1] >= coverage
    assert 0.935 <= kept / 2000 <= 0.98  # only few quantiles are possible, and the safer one is taken


@pytest.mark.parametrize(("count", "levels"), [(99, 0), (100, 1), (200, 2), (499, 2), (500, 3), (1000, 4)])
def test_levels_need_enough_pictures(count: int, levels: int) -> None:
    conformal = fit_conformal(*drawn(count, 3))
    found = () if conformal is None else tuple(level.coverage for level in conformal.levels)
    assert found == COVERAGES[:levels]
    assert (fit_familiarity(drawn(count, 3)[0]) is not None) == (count >= 100)


def test_a_class_that_is_left_behind_gets_a_threshold_of_its_own() -> None:
    fitted, truth = drawn(8000, 4)
    others, other_truth = drawn(20000, 5)
    for shares, classes in ((fitted, truth), (others, other_truth)):
        moved = np.flatnonzero(classes == 0)[::2]  # half of one class looks like another one
        shares[moved] = np.roll(shares[moved], 1, axis=1)
    thresholds = fit_level(fitted, truth, 0.9)
    assert len(thresholds) == 10
    sets, hard = label_sets(others, thresholds), other_truth == 0
    assert covered(sets[hard], other_truth[hard]) >= 0.87
    common = label_sets(others, [np.sort(fitted[np.arange(8000), truth])[800]])
    assert covered(common[hard], other_truth[hard]) < 0.85


def test_the_interval_is_that_of_wilson() -> None:
    low, high = wilson_interval(0.9, 100)  # 0.8256 to 0.9448, statsmodels' proportion_confint(method="wilson")
    assert (round(low, 4), round(high, 4)) == (0.8256, 0.9448)


class TestCommitted:
    @pytest.mark.parametrize(
        "model", ["cifar10/1", "cifar10/2", "cifar10/3", "cifar10/4", "mnist/1", "mnist/2", "mnist/3"]
    )
    def test_each_model_has_all_levels_and_figures_that_keep_them(self, model: str) -> None:
        said = OnnxClassifier.open(Path("models") / model / "model.onnx").metadata
        assert [level.coverage for level in said.conformal.levels] == list(COVERAGES)
        assert said.familiarity is not None
        record = json.loads((Path("models") / model / "metrics.json").read_text())
        assert record["decisions"]["accuracy"] == record["test"]["accuracy"]
        for level in record["decisions"]["sets"]:
            assert level["coverage"] >= level["asked"] - 0.01
            assert level["has_class_thresholds"] or min(level["by_class"]) >= level["asked"] - 0.05


@pytest.mark.parametrize(
    ("kept", "expected"), [(slice(None), True), (slice(0, 2000), True), (slice(1000, None), False)]
)
def test_thresholds_tell_which_pictures_they_were_fitted_on(kept: slice, expected: bool) -> None:
    rows, classes = drawn(5000, seed=1)
    conformal = fit_conformal(rows[:1000], classes[:1000])
    assert conformal is not None
    assert were_fitted_on(conformal, rows[kept], classes[kept]) is expected


class TestContract:
    said = OnnxClassifier.open(CIFAR10).metadata

    def test_it_is_read_as_written(self) -> None:
        assert ModelMetadata.from_props(self.said.to_props()) == self.said

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("conformal", {"images": 1, "levels": []}),
            ("conformal", {"images": 1, "levels": [{"coverage": 0.9, "thresholds": [0.1, 0.1]}]}),
            ("conformal", {"images": 1, "levels": [{"coverage": 1, "thresholds": [0.1]}]}),
            ("conformal", {"images": 1, "levels": [{"coverage": 0.9, "thresholds": ["a"]}]}),
            ("familiarity", {"images": 9, "score": "entropy", "quantiles": [0.0] * 100}),
            ("familiarity", {"images": 9, "score": "entropy", "quantiles": [1.0] + [0.0] * 100}),
            ("familiarity", {"images": 9, "score": "knn", "quantiles": [0.0] * 101}),
        ],
    )
    def test_what_contradicts_itself_is_refused(self, name: str, value: object) -> None:
        props = self.said.to_props() | {f"convoy.{name}": json.dumps(value)}
        with pytest.raises(ContractError, match=name):
            ModelMetadata.from_props(props)

    def test_a_model_of_several_labels_has_neither(self) -> None:
        with pytest.raises(ContractError, match="one label is right"):
            dataclasses.replace(self.said, multi_label=True).to_props()


def test_figures_of_a_perfect_model() -> None:
    said = OnnxClassifier.open(CIFAR10).metadata
    classes = np.arange(10).repeat(5)
    trust = measure_trust(np.eye(10, dtype=np.float32)[classes], None, classes, said)
    assert trust.accuracy == 1
    assert all(level.coverage == 1 and level.mean_size == 1 for level in trust.sets)
    assert all(point.answered == 1 and point.accuracy == 1 for point in trust.risk_coverage)
    assert trust.familiar == 1
    assert (negative_entropy(np.eye(10, dtype=np.float32)) == 0).all()


@pytest.mark.parametrize("seed", range(3))
def test_the_sets_that_were_measured_are_those_of_the_service(seed: int) -> None:
    rows, _ = drawn(500, seed)
    random = np.random.default_rng(seed)
    for thresholds in ((0.2,), (0.9,), tuple(random.random(10).tolist())):
        measured = [set(np.flatnonzero(row)) for row in label_sets(rows, thresholds)]
        assert measured == [set(found) for found in served_sets(rows, CoverageLevel(0.9, thresholds))]


@pytest.mark.parametrize("score", ["entropy", "features"])
def test_the_familiarity_that_was_measured_is_that_of_the_service(score: str) -> None:
    rows, classes = drawn(500, 1)
    of_features = np.random.default_rng(1).normal(size=500).astype(np.float32)
    known = fit_familiarity(rows, None if score == "entropy" else of_features)
    assert known is not None
    said = dataclasses.replace(OnnxClassifier.open(CIFAR10).metadata, familiarity=known)
    served = familiarity_of(rows, of_features, known) >= LEAST_FAMILIARITY
    assert measure_trust(rows, of_features, classes, said).familiar == served.mean()
