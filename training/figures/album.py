"""All figures of one model version, as PNG files."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
from matplotlib.figure import Figure

from training.data.dataset import DataSet
from training.figures import curves, data, network, predictions
from training.fit import Fitted
from training.measurement import Measurement
from training.recipes.recipe import Recipe

_DPI = 100

CAPTIONS: Mapping[str, str] = MappingProxyType(
    {
        "first_training_images": "The first 36 training images.",
        "class_counts": "How many images of each class there are.",
        "learning_curves": "Loss and mistakes over the epochs; the dashed line is the epoch whose weights were kept.",
        "confusion_matrix": "Which classes are taken for which.",
        "random_predictions": "32 random test images, titled predicted (true).",
        "confident_mistakes": "The mistakes it was surest of.",
        "reliability_diagram": "How often it is right when it says how sure it is, before and after calibration.",
        "first_kernels": "The first layer's kernels.",
        "feature_maps": "One test image, layer by layer.",
    }
)
"""What each figure shows, by file name, in the order of the model card."""


def draw_album(
    folder: Path,
    *,
    recipe: Recipe,
    data_set: DataSet,
    fitted: Fitted,
    raw: Measurement,
    test: Measurement,
    temperature: float,
    seed: int,
) -> None:
    """Draws every figure into ``folder``.

    Args:
        folder: made where it is missing.
        recipe: how the network was trained.
        data_set: what on.
        fitted: the network and its history.
        raw: what the uncalibrated graph answered on the test set.
        test: what the served graph answered there.
        temperature: between the two.
        seed: chooses the random test pictures.
    """
    shown = int(np.argmax(test.right)) if test.right.any() else 0
    label = test.labels[test.images.classes[shown]]
    drawings: dict[str, Callable[[], Figure]] = {
        "first_training_images": lambda: data.first_training_images(data_set),
        "class_counts": lambda: data.class_counts(data_set),
        "learning_curves": lambda: curves.learning_curves(
            fitted.history,
            fitted.best_epoch,
            averaged=recipe.ema_momentum is not None,
            smoothed=recipe.label_smoothing > 0,
        ),
        "confusion_matrix": lambda: predictions.confusion_matrix(test),
        "random_predictions": lambda: predictions.random_predictions(test, seed),
        "confident_mistakes": lambda: predictions.confident_mistakes(test),
        "reliability_diagram": lambda: predictions.reliability_diagram(raw, test, temperature),
        "first_kernels": lambda: network.first_kernels(fitted.network),
        "feature_maps": lambda: network.feature_maps(fitted.network, test.images, shown, label),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name in CAPTIONS:
        drawings[name]().savefig(folder / f"{name}.png", dpi=_DPI)
