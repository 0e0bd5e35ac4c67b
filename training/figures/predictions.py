"""Figures of the served file's predictions on the test set: confusion, examples, worst mistakes and calibration."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from contract import Evaluation
from training.figures.grid import RIGHT, WRONG, picture_grid
from training.measurement import Measurement
from training.scores import ReliabilityBins, reliability_bins

_EXAMPLES, _MISTAKES, _COLUMNS = 32, 32, 8


def confusion_matrix(confusion: NDArray[np.int64], labels: Sequence[str]) -> Figure:
    """Draws counts, coloured by their share of the true class, so that rare classes can be seen as well.

    Args:
        confusion: [K, K], rows true, columns predicted.
        labels: names of the K classes.
    """
    images, right = int(confusion.sum()), int(np.trace(confusion))
    share = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    side = max(5.5, 0.75 * len(labels) + 1)
    figure = Figure(figsize=(side + 1, side), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.ndindex(*confusion.shape):
        color = "white" if share[row, column] > 0.5 else "black"
        axes.text(column, row, f"{confusion[row, column]}", ha="center", va="center", color=color, fontsize=8)
    places = range(len(labels))
    axes.set_xticks(places, labels, rotation=45, ha="right")
    axes.set_yticks(places, labels)
    axes.set(
        title=f"Confusion matrix: {images:,} test images, {right / max(images, 1):.2%} right",
        xlabel="predicted class",
        ylabel="true class",
    )
    figure.colorbar(image, ax=axes, label="share of the true class", shrink=0.8)
    return figure


def random_predictions(test: Measurement, seed: int) -> Figure:
    """32 random test pictures, titled "predicted (true)", blue where right and red where wrong."""
    rows = np.random.default_rng(seed).permutation(len(test.images))[:_EXAMPLES]
    predicted = test.probabilities[rows].argmax(axis=1)
    classes = test.images.classes[rows]
    titles = [f"{test.labels[guess]}\n({test.labels[truth]})" for guess, truth in zip(predicted, classes, strict=True)]
    colors = [RIGHT if right else WRONG for right in test.right[rows]]
    heading = f"{len(rows)} random test images: predicted (true), blue where right, red where wrong"
    return picture_grid(test.images.pixels[rows], titles, colors, columns=_COLUMNS, heading=heading)


def confident_mistakes(test: Measurement) -> Figure:
    """The wrong predictions of highest confidence, the surest first."""
    confidence = test.probabilities.max(axis=1)
    wrong = np.flatnonzero(~test.right)
    rows = wrong[np.argsort(-confidence[wrong], kind="stable")][:_MISTAKES]
    predicted = [test.labels[index] for index in test.probabilities[rows].argmax(axis=1)]
    true = [test.labels[index] for index in test.images.classes[rows]]
    titles = [
        f"{guess} {sure:.1%}\n({truth})" for guess, sure, truth in zip(predicted, confidence[rows], true, strict=True)
    ]
    heading = f"The {len(rows)} most confident of {len(wrong):,} mistakes: predicted and its probability (true)"
    return picture_grid(test.images.pixels[rows], titles, [WRONG] * len(rows), columns=_COLUMNS, heading=heading)


def reliability_diagram(raw: Measurement, test: Measurement, temperature: float) -> Figure:
    """Accuracy against confidence, before and after calibration; below it, the number of predictions in each bin."""
    figure = Figure(figsize=(10, 6), layout="constrained")
    figure.suptitle(f"Reliability on {test.evaluation.images:,} test images: does 80 % mean 80 %?")
    upper, lower = figure.subplots(2, 2, height_ratios=(3, 1), sharex=True)
    parts = (("Uncalibrated", raw), (f"As served, temperature {temperature:.3f}", test))
    for above, below, (title, measured) in zip(upper, lower, parts, strict=True):
        bins = reliability_bins(measured.probabilities, measured.images.classes)
        _draw_reliability(above, bins)
        above.set(title=f"{title}\n{_scores(measured.evaluation)}", ylabel="accuracy")
        below.bar(bins.edges[:-1], bins.counts, np.diff(bins.edges), align="edge", edgecolor="white")
        below.set(
            xlabel="confidence (highest probability)",
            ylabel="images",
            yscale="log",
            xlim=(0, 1),
            ylim=(0.7, None),
        )
    figure.legend(*upper[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def _draw_reliability(axes: Axes, bins: ReliabilityBins) -> None:
    filled = bins.counts > 0
    lefts, widths = bins.edges[:-1][filled], np.diff(bins.edges)[filled]
    axes.bar(lefts, bins.accuracy[filled], widths, align="edge", edgecolor="white", label="accuracy in the bin")
    axes.scatter(bins.confidence[filled], bins.accuracy[filled], color="black", s=12, zorder=3, label="mean confidence")
    axes.plot((0, 1), (0, 1), color="gray", linestyle="--", label="perfectly calibrated")
    axes.set_ylim(0, 1)


def _scores(evaluation: Evaluation) -> str:
    return f"ECE {evaluation.expected_calibration_error:.2%}, log loss {evaluation.log_loss:.4f}"
