"""Figures of an imported model, where labelled examples were measured."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from training.figures.captions import CAPTIONS, DPI, MOST_CLASSES
from training.measurement import Measurement

_SEED: Final = 0


def draw_figures(folder: Path, *, raw: Measurement, score: Measurement, temperature: float) -> dict[str, str]:
    """Draws the figures of the measurement on the examples.

    Args:
        folder: made where it is missing.
        raw: the uncalibrated graph's measurement on the examples.
        score: the served graph's measurement on them.
        temperature: of the served graph.

    Returns:
        Captions by file name, without ``.png``.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415  takes a second, and most imports draw nothing

    from training.figures import predictions  # noqa: PLC0415
    from training.figures.fonts import covering  # noqa: PLC0415

    with covering(score.labels) as labels:
        raw, score = replace(raw, labels=labels), replace(score, labels=labels)
        drawings: dict[str, Callable[[], Figure]] = {
            "random_predictions": lambda: predictions.random_predictions(score, _SEED),
            "reliability_diagram": lambda: predictions.reliability_diagram(raw, score, temperature),
        }
        if len(labels) <= MOST_CLASSES:  # more cannot be read
            drawings["confusion_matrix"] = lambda: predictions.confusion_matrix(score.confusion, labels)
        if not score.right.all():
            drawings["confident_mistakes"] = lambda: predictions.confident_mistakes(score)
        folder.mkdir(parents=True, exist_ok=True)
        drawn = {name: caption for name, caption in CAPTIONS.items() if name in drawings}
        for name in drawn:
            drawings[name]().savefig(folder / f"{name}.png", dpi=DPI)
    return drawn
