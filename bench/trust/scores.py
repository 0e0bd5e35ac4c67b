"""Compares scores of familiarity on one model: ``python -m bench.trust.scores MODEL.onnx DATA [STAMPS]``.

The scores and their sources: maximum probability, negative entropy and energy (arXiv 2010.03759) of the answer; nearest
neighbours (KNN, arXiv 2204.06507), Mahalanobis and relative Mahalanobis distance (RMDS, arXiv 2106.09022) of the pooled
last feature map, and the exported score: the cosine to the nearest centre, alone and with the entropy. The scores are
fitted on training pictures, their spreads on held-out ones. It prints the AUROC of each against the test images.
"""

import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from bench.trust.__main__ import auroc
from bench.trust.other_pictures import Pictures, beside_digits, beside_photographs, of_things
from contract import FEATURES_NAME, INPUT_NAME, OUTPUT_NAME, ModelMetadata
from imaging import Target
from training.data import sources
from training.decisions import holdout_of
from training.familiar_features import directions_of, find_centres

_AT_ONCE = 250
_MOST_FITTED = 20000
_NEIGHBOURS = 50

Scores = NDArray[np.float64]
Rows = NDArray[np.float64]
Answers = tuple[Rows, NDArray[np.float32]]
Score = Callable[[Rows, NDArray[np.float32]], Scores]


def main(model: Path, place: Path, stamps: Path | None = None) -> None:
    """Prints a table in Markdown."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    said = ModelMetadata.from_props(session.get_modelmeta().custom_metadata_map)
    data = {name: sources.load(name, place, sources.OwnPictures()) for name in ("cifar10", "mnist")}
    cifar10, mnist = (data[name].test.pixels for name in ("cifar10", "mnist"))
    known = data[said.name]
    others = beside_photographs(cifar10, mnist) if said.name == "cifar10" else beside_digits(mnist, cifar10)
    if stamps is not None and said.name == "cifar10":
        others = {**others, "things": of_things(stamps, Target.of(said))}
    learnt, held_out = holdout_of(said).rows(known.train)
    fitted, unseen = known.train.take(learnt[:_MOST_FITTED]), known.train.take(held_out)

    asked = {
        "fitted": fitted.pixels,
        "held out": unseen.pixels,
        "test": known.test.pixels,
        **others,
    }
    answers = {kind: _answers(session, pixels) for kind, pixels in asked.items()}
    print("| score | " + " | ".join(others) + " | mean | worst |\n| --- |" + " --- |" * (len(others) + 2))
    scores = _scores(answers["fitted"], fitted.classes)
    scores["entropy and centres, mean"] = _sum(scores["entropy"], scores["centres, mean"], answers["held out"])
    for name, score in scores.items():
        of = {kind: score(*answers[kind]) for kind in ("test", *others)}
        found = [100 * auroc(of["test"], of[kind]) for kind in others]
        cells = [f"{value:.1f}" for value in (*found, np.mean(found), min(found))]
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


def _answers(session: onnxruntime.InferenceSession, pixels: Pictures) -> Answers:
    """Probabilities [N, K], and features [N, C, H, W]."""
    names = [OUTPUT_NAME, FEATURES_NAME]
    parts = [
        session.run(names, {INPUT_NAME: pixels[start : start + _AT_ONCE]}) for start in range(0, len(pixels), _AT_ONCE)
    ]
    probabilities, features = (np.concatenate(part) for part in zip(*parts, strict=True))
    return probabilities.astype(np.float64), features


def _scores(fitted: Answers, classes: NDArray[np.int64]) -> dict[str, Score]:
    found: dict[str, Score] = {
        "maximum": lambda probabilities, _: probabilities.max(axis=1),
        "entropy": lambda probabilities, _: (probabilities * np.log(np.maximum(probabilities, 1e-30))).sum(axis=1),
    }
    for pooling, pool in (("mean", _mean), ("max", _largest)):
        rows = pool(fitted[1])
        for name, score in _of_rows(rows, classes).items():
            found[f"{name}, {pooling}"] = partial(_pooled, score, pool)
    return found


def _sum(one: Score, other: Score, held_out: Answers) -> Score:
    spreads = one(*held_out).std(), other(*held_out).std()

    def score(probabilities: Rows, features: NDArray[np.float32]) -> Scores:
        both: Scores = one(probabilities, features) / spreads[0] + other(probabilities, features) / spreads[1]
        return both

    return score


def _pooled(
    score: Callable[[Rows], Scores], pool: Callable[[NDArray[np.float32]], Rows], _: Rows, features: NDArray[np.float32]
) -> Scores:
    return score(pool(features))


def _of_rows(rows: Rows, classes: NDArray[np.int64]) -> Mapping[str, Callable[[Rows], Scores]]:
    means = np.stack([rows[classes == index].mean(axis=0) for index in np.unique(classes)])
    within = _whitening(rows - means[classes])
    around = rows.mean(axis=0)
    background = _whitening(rows - around)
    near = directions_of(rows)
    directions = find_centres(near, classes)

    def mahalanobis(values: Rows) -> Scores:
        scores: Scores = -np.min([np.square((values - mean) @ within).sum(axis=1) for mean in means], axis=0)
        return scores

    def relative(values: Rows) -> Scores:
        scores: Scores = mahalanobis(values) + np.square((values - around) @ background).sum(axis=1)
        return scores

    def neighbours(values: Rows) -> Scores:
        parts = [directions_of(values[start : start + 1000]) @ near.T for start in range(0, len(values), 1000)]
        return np.concatenate([np.partition(part, -_NEIGHBOURS, axis=1)[:, -_NEIGHBOURS] for part in parts])

    def centres(values: Rows) -> Scores:
        scores: Scores = (directions_of(values) @ directions.T).max(axis=1)
        return scores

    return {"KNN": neighbours, "centres": centres, "Mahalanobis": mahalanobis, "RMDS": relative}


def _whitening(centred: Rows) -> Rows:
    """A matrix [D, D]; rows multiplied by it have no correlation and variance 1."""
    covariance = centred.T @ centred / len(centred)
    values, vectors = np.linalg.eigh(covariance)
    whitening: Rows = vectors / np.sqrt(np.maximum(values, values[-1] * 1e-6))
    return whitening


def _mean(features: NDArray[np.float32]) -> Rows:
    rows: Rows = features.mean(axis=(2, 3), dtype=np.float64)
    return rows


def _largest(features: NDArray[np.float32]) -> Rows:
    rows: Rows = features.max(axis=(2, 3)).astype(np.float64)
    return rows


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))
