"""Loss and accuracy over the epochs."""

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from training.checkpoint import History


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
    panels = (("loss", loss_label), ("accuracy", "accuracy"))
    for axes, (figure_of, label) in zip(figure.subplots(1, 2), panels, strict=True):
        axes.plot(epochs, history[figure_of], marker=".", label=training)
        axes.plot(epochs, history[f"val_{figure_of}"], marker=".", label=validation)
        axes.axvline(best_epoch, color="gray", linestyle="--", label=f"kept: epoch {best_epoch}")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set(title=figure_of.capitalize(), xlabel="epoch", ylabel=label)
        axes.grid(alpha=0.3)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure
