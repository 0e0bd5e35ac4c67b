"""Loss and mistakes over the epochs."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from training.run_directory import History


def learning_curves(history: History, best_epoch: int, *, averaged: bool, smoothed: bool) -> Figure:
    """Draws both curves side by side, and marks the epoch whose weights were kept.

    Args:
        history: one value an epoch.
        best_epoch: counted from 1.
        averaged: whether validation was done with averaged weights.
        smoothed: whether the training loss is that of smoothed labels.

    Returns:
        The figure.
    """
    figure = Figure(figsize=(10, 4), layout="constrained")
    epochs = range(1, len(history["loss"]) + 1)
    training = "training (with dropout and augmentation, if any)"
    validation = "validation, averaged weights" if averaged else "validation"
    loss_label = "cross-entropy, nats (training: of smoothed labels)" if smoothed else "cross-entropy, nats"
    mistakes = {key: 100 * (1 - np.array(history[key])) for key in ("accuracy", "val_accuracy")}
    panels = (
        ("Loss", loss_label, history["loss"], history["val_loss"]),
        ("Mistakes", "mistakes, % of the pictures", mistakes["accuracy"], mistakes["val_accuracy"]),
    )
    for axes, (title, label, trained, validated) in zip(figure.subplots(1, 2), panels, strict=True):
        axes.plot(epochs, trained, marker=".", label=training)
        axes.plot(epochs, validated, marker=".", label=validation)
        axes.set_yscale("log")  # a good network's last epochs differ by less than its first one's line is wide
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.axvline(best_epoch, color="gray", linestyle="--", label=f"kept: epoch {best_epoch}")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set(title=title, xlabel="epoch", ylabel=label)
        axes.grid(which="both", alpha=0.3)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure
