"""Starts a service with the committed models and requests every kind of decision on whole test sets, over HTTP.

``python -m bench.trust DATA [STAMPS]``: DATA holds the publishers' files of CIFAR-10 and MNIST, STAMPS is the folder
``usr/share/tuxpaint/stamps`` of Debian's package ``tuxpaint-stamps-default``. Printed for each version: the coverage of
sets, by level and class; the answers at ``min_confidence`` 0.9; and how well familiarity separates other pictures from
the test set (AUROC: 50 is chance, 100 is perfect).
"""

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import numpy as np
from numpy.typing import NDArray

from bench.folders import MODELS
from bench.request_bytes import npy_bytes
from bench.server_process import ServerProcess
from bench.trust.other_pictures import Pictures, beside_digits, beside_photographs, of_things
from imaging import Target
from training.data import sources
from training.data.dataset import LabelledImages
from training.onnx_classifier import OnnxClassifier

_AT_ONCE = 200
_LEVELS = (0.9, 0.95, 0.98, 0.99)


class Told(NamedTuple):
    """The service's answers for N pictures.

    Attributes:
        sets: bool [N, K], which labels are in the set of each picture.
        familiarity: float64 [N].
        answered: bool [N], whether there is a label at ``min_confidence=0.9``.
        right: bool [N], whether the most probable label is the true one; all False where no classes were given.
    """

    sets: NDArray[np.bool_]
    familiarity: NDArray[np.float64]
    answered: NDArray[np.bool_]
    right: NDArray[np.bool_]


def main(place: Path, stamps: Path | None = None) -> None:
    """Measures all versions and prints Markdown."""
    data = {name: sources.load(name, place, sources.OwnPictures()) for name in ("cifar10", "mnist")}
    cifar10, mnist = (data[name].test.pixels for name in ("cifar10", "mnist"))
    others = {"cifar10": beside_photographs(cifar10, mnist), "mnist": beside_digits(mnist, cifar10)}
    with (
        tempfile.TemporaryDirectory() as scratch,
        ServerProcess(Path(scratch) / "log") as server,
        httpx.Client(base_url=server.url, timeout=60) as client,
    ):
        for name, known in data.items():
            for version in client.get(f"/models/{name}").json()["versions"]:
                asked = dict(others[name])
                if stamps is not None and name == "cifar10":
                    asked["things"] = of_things(stamps, _target(name, version["version"]))
                _measure(client, (name, version["version"]), known.test, asked)


def _target(name: str, version: str) -> Target:
    return Target.of(OnnxClassifier.open(MODELS / name / version / "model.onnx").metadata)


def _measure(
    client: httpx.Client, model: tuple[str, str], test: LabelledImages, others: Mapping[str, Pictures]
) -> None:
    (name, version), pixels, classes = model, test.pixels, test.classes
    path = f"/models/{name}/versions/{version}/predict"
    print(f"\n### {name} version {version}, {len(pixels)} test images\n")
    print("| asked | covered | worst class | labels a set |\n| --- | --- | --- | --- |")
    for level in _LEVELS:
        told = _ask(client, path, pixels, level, classes)
        covered = told.sets[np.arange(len(classes)), classes]
        worst = min(covered[classes == index].mean() for index in np.unique(classes))
        print(f"| {level} | {covered.mean():.2%} | {worst:.2%} | {told.sets.sum(axis=1).mean():.2f} |")
    answered = told.answered
    print(f"\nmin_confidence 0.9: {answered.mean():.2%} answered, {told.right[answered].mean():.2%} of these right.")
    print(f"Familiarity: {(told.familiarity >= 0.05).mean():.2%} of the test images get no warning.\n")
    print("| | " + " | ".join(others) + " |\n| --- |" + " --- |" * len(others))
    found = [_ask(client, path, pictures, 0.9).familiarity for pictures in others.values()]
    print("| AUROC | " + " | ".join(f"{100 * auroc(told.familiarity, one):.1f}" for one in found) + " |")
    print("| warned of | " + " | ".join(f"{(one < 0.05).mean():.0%}" for one in found) + " |", flush=True)


def _ask(
    client: httpx.Client, path: str, pixels: Pictures, level: float, classes: NDArray[np.int64] | None = None
) -> Told:
    query: dict[str, str | float] = {"coverage": level, "familiarity": "true", "min_confidence": "0.9", "top_k": 1}
    predictions: list[dict[str, Any]] = []
    for start in range(0, len(pixels), _AT_ONCE):
        body = npy_bytes(pixels[start : start + _AT_ONCE])
        answer = client.post(path, params=query, content=body, headers={"Content-Type": "application/x-npy"})
        answer.raise_for_status()
        predictions += answer.json()["predictions"]
    labels = list(predictions[0]["probabilities"])
    sets = np.array([[label in prediction["label_set"] for label in labels] for prediction in predictions])
    best = np.array([prediction["top"][0]["index"] for prediction in predictions])
    right = np.zeros(len(best), bool) if classes is None else best == classes
    return Told(
        sets,
        np.array([prediction["familiarity"] for prediction in predictions]),
        np.array([prediction["label"] is not None for prediction in predictions]),
        right,
    )


def auroc(known: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """The probability that a known picture is more familiar than another one; ties count half."""
    ordered = np.sort(other)
    below, upto = np.searchsorted(ordered, known, "left"), np.searchsorted(ordered, known, "right")
    return float((below + upto).mean() / (2 * len(other)))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
