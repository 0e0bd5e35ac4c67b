"""Three figures about the quality of a model's decisions, as an alternative to tables."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from training.measurement import Measurement
from training.trust import Trust


def risk_coverage(trust: Trust, title: str) -> Figure:
    """The share of pictures that is answered, and the share of these that is right, as ``min_confidence`` rises."""
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    points = [(point.answered, point.accuracy) for point in trust.curve if point.accuracy is not None]
    axes.plot(*zip(*points, strict=True), color="#1f5fa8")
    marked = next(point for point in trust.risk_coverage if point.min_confidence == 0.9)
    if marked.accuracy is not None:
        axes.plot(marked.answered, marked.accuracy, "o", color="#c0392b")
        text = f"min_confidence 0.9:\n{marked.answered:.1%} answered,\n{marked.accuracy:.1%} of these right"
        axes.annotate(text, (marked.answered, marked.accuracy), xytext=(-140, -60), textcoords="offset points")
    axes.set(title=title, xlabel="pictures that get a label", ylabel="right, of these", xlim=(0, 1.02))
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.grid(alpha=0.3)
    return figure


def calibration(measured: Measurement, title: str) -> Figure:
    """Accuracy against confidence, in each tenth of the confidence that has 20 pictures or more."""
    figure = Figure(figsize=(5, 4), layout="constrained")
    axes = figure.subplots()
    confidences = measured.probabilities.max(axis=1)
    tenths = np.minimum((confidences * 10).astype(int), 9)
    found = [tenths == place for place in range(10) if np.sum(tenths == place) >= 20]
    means = [float(confidences[part].mean()) for part in found]
    axes.plot([0, 1], [0, 1], "--", color="grey", label="as it should be")
    axes.plot(means, [float(measured.right[part].mean()) for part in found], "o-", color="#1f5fa8", label="measured")
    axes.set(title=title, xlabel="probability that the model gives", ylabel="right", xlim=(0, 1.02), ylim=(0, 1.02))
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def sets_of_labels(trust: Trust, title: str) -> Figure:
    """The coverage that was asked for, the coverage that was measured, and the mean number of labels in a set."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    kept, sizes = figure.subplots(1, 2)
    names = [f"{100 * one.asked:g} %" for one in trust.sets]
    places = range(len(names))
    kept.plot(places, [one.asked for one in trust.sets], "_", markersize=30, color="#c0392b", label="asked")
    kept.plot(places, [one.coverage for one in trust.sets], "o", color="#1f5fa8", label="kept, all pictures")
    least = [min(share for share in one.by_class if share is not None) for one in trust.sets]
    kept.plot(places, least, "v", color="#8aa9cf", label="kept, worst class")
    kept.set(title="The set holds the truth", xticks=list(places), xlim=(-0.5, len(names) - 0.5))
    kept.yaxis.set_major_formatter(PercentFormatter(1))
    bars = sizes.bar(places, [one.mean_size for one in trust.sets], color="#1f5fa8")
    sizes.bar_label(bars, [f"{one.mean_size:.2f}" for one in trust.sets])
    sizes.margins(y=0.1)
    sizes.set(title="Labels in a set, on average", xticks=list(places))
    for axes in (kept, sizes):
        axes.set_xticks(list(places), names)
        axes.set_xlabel("coverage asked")
        axes.grid(axis="y", alpha=0.3)
    figure.suptitle(title)
    figure.legend(loc="outside lower center", ncols=3)
    return figure
