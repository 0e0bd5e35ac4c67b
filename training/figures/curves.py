"""Loss and mistakes over the epochs."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from training.run_directory import History

_NARROW, _LEAST_DRAWN = 5, 1e-12


def learning_curves(
    history: History, best_epoch: int, *, averaged: bool, smoothed: bool, folds: int = 1, frozen_epochs: int = 0
) -> Figure:
    """Draws both curves side by side, and marks the epoch whose weights were kept.

    Args:
        history: one value per epoch.
        best_epoch: counted from 1.
        averaged: whether validation was done with averaged weights.
        smoothed: whether the training loss is that of smoothed labels.
        folds: number of folds that the history is averaged over; 1 for one split.
        frozen_epochs: number of epochs before the backbone learns too; 0 without a backbone.

    Returns:
        The figure.
    """
    figure = Figure(figsize=(10, 4), layout="constrained")
    epochs = range(1, len(history["loss"]) + 1)
    training = "training (with dropout and augmentation, if any)"
    validation = "validation, averaged weights" if averaged else "validation"
    if folds > 1:
        validation = f"pictures held out, mean of {folds} folds"
    loss_label = "cross-entropy, nats (training: of smoothed labels)" if smoothed else "cross-entropy, nats"
    mistakes = {key: 100 * (1 - np.array(history[key])) for key in ("accuracy", "val_accuracy")}
    panels = (
        ("Loss", loss_label, history["loss"], history["val_loss"]),
        ("Mistakes", "mistakes, % of the pictures", mistakes["accuracy"], mistakes["val_accuracy"]),
    )
    for axes, (title, label, trained, validated) in zip(figure.subplots(1, 2), panels, strict=True):
        axes.plot(epochs, trained, marker=".", label=training)
        axes.plot(epochs, validated, marker=".", label=validation)
        axes.set_yscale("log")  # on a linear axis the last epochs of a good network would look equal
        drawn = np.concatenate([trained, validated])
        # A narrow range may contain no tick of 1, 2 and 5 times a power of ten.
        is_narrow = drawn.max() < _NARROW * max(drawn.min(), _LEAST_DRAWN)
        axes.yaxis.set_major_locator(MaxNLocator(5) if is_narrow else LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
        if frozen_epochs:
            axes.axvline(
                frozen_epochs + 0.5, color="tab:green", linestyle=":", label="from here on the backbone learns too"
            )
        axes.axvline(best_epoch, color="gray", linestyle="--", label=f"kept: epoch {best_epoch}")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set(title=title, xlabel="epoch", ylabel=label)
        axes.grid(which="both", alpha=0.3)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure
