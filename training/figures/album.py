"""All figures of one model version, as PNG files.

::

    model.onnx, metrics.json ─┬─> curves, confusion, kernels, feature maps    (any time, with nothing else)
                              └─ with the data set: its pictures, the predictions, and their calibration
"""

import dataclasses
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from contract import GoldenImage, ModelMetadata
from network.graph import GraphError
from network.layers import Look, look_inside
from training.data.dataset import DataSet
from training.figures import curves, data, network, predictions
from training.figures.captions import CAPTIONS, DPI, MOST_CLASSES
from training.figures.fonts import covering
from training.files import write_atomically
from training.inspection import Inspection
from training.measurement import Measurement
from training.run_directory import History

_MOST_LAYERS = 1000
_CURVES = ("loss", "val_loss", "accuracy", "val_accuracy")


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """The data that figures are drawn from.

    Attributes:
        metadata: of the model file.
        record: the version's ``metrics.json``; parts of it may be missing.
        model: the file's content.
        data_set: the data set that the model learnt from; None where it is not given.
        raw: the uncalibrated graph's measurement on the test set; None without the data set.
        test: the served graph's measurement on the test set; None without the data set.
    """

    metadata: ModelMetadata
    record: Mapping[str, Any]
    model: bytes
    data_set: DataSet | None = None
    raw: Measurement | None = None
    test: Measurement | None = None

    def with_labels(self, labels: tuple[str, ...]) -> Self:
        """The same with other names of the classes, for drawing only."""
        replace = dataclasses.replace
        return replace(
            self,
            data_set=self.data_set and replace(self.data_set, labels=labels),
            raw=self.raw and replace(self.raw, labels=labels),
            test=self.test and replace(self.test, labels=labels),
        )


def draw_album(folder: Path, shown: Shown) -> dict[str, str]:
    """Draws every figure whose data is there.

    Args:
        folder: made where it is missing.
        shown: the data.

    Returns:
        Captions of the figures that were drawn, by file name without ``.png``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with covering(shown.metadata.class_names) as labels:
        drawings = _drawings(shown.with_labels(labels), labels)
        drawn = {name: caption for name, caption in CAPTIONS.items() if name in drawings}
        for name in drawn:
            _save(drawings[name](), folder / f"{name}.png")
    return drawn


def draw_inside(folder: Path, model: bytes, pixels: NDArray[np.uint8], heading: str) -> list[str]:
    """Draws the kernels and the feature maps of a picture where the network has any; returns the figures' names.

    Args:
        folder: made where it is missing.
        model: the file's content.
        pixels: a picture as the model takes it, uint8 [H, W, C].
        heading: of the feature maps.
    """
    drawings = inside(model, pixels, heading)
    folder.mkdir(parents=True, exist_ok=True)
    for name, draw in drawings.items():
        _save(draw(), folder / f"{name}.png")
    return [*drawings]


def _save(figure: Figure, path: Path) -> None:
    """Saves a figure atomically."""
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=DPI)
    write_atomically(path, content.getbuffer())


def _drawings(shown: Shown, labels: tuple[str, ...]) -> dict[str, Callable[[], Figure]]:
    drawings: dict[str, Callable[[], Figure]] = {}
    if (data_set := shown.data_set) is not None:
        drawings["first_training_images"] = lambda: data.first_training_images(data_set)
        drawings["class_counts"] = lambda: data.class_counts(data_set)
    if (history := _history(shown)) is not None:
        drawings["learning_curves"] = lambda: _curves(shown.metadata, history)
    if (confusion := _confusion(shown)) is not None and len(labels) <= MOST_CLASSES:
        drawings["confusion_matrix"] = lambda: predictions.confusion_matrix(confusion, labels)
    raw, test = shown.raw, shown.test
    if raw is not None and test is not None:
        drawings["random_predictions"] = lambda: predictions.random_predictions(test, _seed(shown.metadata))
        drawings["confident_mistakes"] = lambda: predictions.confident_mistakes(test)
        drawings["reliability_diagram"] = lambda: predictions.reliability_diagram(raw, test, shown.metadata.temperature)
    pixels, label = golden_picture(shown.metadata)
    heading = "What the network makes of one picture"
    known = label in shown.metadata.labels
    name = f"{heading}: {labels[shown.metadata.labels.index(label)]}" if known and label is not None else heading
    return drawings | inside(shown.model, pixels, name)


def inside(model: bytes, pixels: NDArray[np.uint8], heading: str) -> dict[str, Callable[[], Figure]]:
    """The figures of a network's kernels and feature maps, where it has any.

    Args:
        model: the file's content.
        pixels: a picture as the model takes it, uint8 [H, W, C].
        heading: of the feature maps.
    """
    try:
        look = look_inside(Inspection(model), pixels[np.newaxis], _MOST_LAYERS)
    except GraphError:
        look = Look([], None, [])
    drawings: dict[str, Callable[[], Figure]] = {}
    if (kernels := look.kernels) is not None:
        drawings["first_kernels"] = lambda: network.first_kernels(kernels)
    if network.makes_maps(look.layers):
        drawings["feature_maps"] = lambda: network.feature_maps(look.layers, pixels, heading)
    return drawings


def golden_picture(metadata: ModelMetadata) -> tuple[NDArray[np.uint8], str | None]:
    """The first golden picture with a right answer, else the first one, else black: uint8 [H, W, C], and its label."""

    def is_right(golden: GoldenImage) -> bool:
        return golden.label == metadata.labels[int(np.argmax(golden.probabilities))]

    if not metadata.golden:
        return np.zeros(metadata.input_shape, np.uint8), None
    golden = next((one for one in metadata.golden if is_right(one)), metadata.golden[0])
    return np.frombuffer(golden.pixels, np.uint8).reshape(metadata.input_shape), golden.label


def _history(shown: Shown) -> History | None:
    """The figures of all epochs; None where the record, which may be old or damaged, does not hold them."""
    history = _table(shown.record.get("history"))
    series = [history.get(name) for name in _CURVES]
    is_whole = all(
        isinstance(values, list) and values and all(isinstance(value, int | float) for value in values)
        for values in series
    )
    same_length = is_whole and len({len(values) for values in series if values is not None}) == 1
    return history if same_length and isinstance(shown.metadata.training.get("best_epoch"), int) else None


def _confusion(shown: Shown) -> NDArray[np.int64] | None:
    if shown.test is not None:
        return shown.test.confusion
    rows: Any = _table(shown.record.get("test")).get("confusion_matrix")
    count = len(shown.metadata.labels)
    if not isinstance(rows, list) or len(rows) != count:
        return None
    is_square = all(isinstance(row, list) and len(row) == count for row in rows)
    return np.array(rows, np.int64) if is_square and all(type(value) is int for row in rows for value in row) else None


def _curves(metadata: ModelMetadata, history: History) -> Figure:
    training = metadata.training
    recipe, backbone = _table(training.get("recipe")), _table(training.get("backbone"))
    return curves.learning_curves(
        history,
        training["best_epoch"],
        averaged=recipe.get("ema_momentum") is not None,
        smoothed=bool(recipe.get("label_smoothing")),
        folds=_table(training.get("cross_validation")).get("folds", 1),
        frozen_epochs=backbone.get("frozen_epochs", 0) if backbone.get("unfrozen_epochs") else 0,
    )


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _seed(metadata: ModelMetadata) -> int:
    seed = metadata.training.get("seed")
    return seed if isinstance(seed, int) and seed >= 0 else 0
