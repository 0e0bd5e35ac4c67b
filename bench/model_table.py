"""Makes the table for choosing a version: accuracy, calibration, cost, size and speed of each.

``python -m bench.model_table DATA`` (DATA: folder with the publishers' files of CIFAR-10 and MNIST)::

    models/, new float16 and int8 conversions ──────> accuracy and calibration on the 10,000 test images
                                                    ─> images/s on one core, in rounds side by side
                                                    ─> a table, bench/reports/models.json, docs/figures/models.png
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median

import matplotlib as mpl
import numpy as np
import onnx
import onnxruntime

from bench.folders import FIGURES, MODELS, REPORTS
from bench.machine import describe_machine
from bench.rate import runs_per_s
from bench.workloads import Network
from training.convert import Precision, convert
from training.data import sources
from training.errors import DataError
from training.measurement import measure
from training.onnx_classifier import OnnxClassifier
from training.onnx_layers import onnx_rows

mpl.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

_REPORT, _FIGURE = REPORTS / "models.json", FIGURES / "models.png"
_PRECISIONS: tuple[Precision, ...] = ("float16", "int8")
_BATCHES = (1, 32)
_ROUNDS, _ROUND_S = 9, 0.25
_DECADE = 10
_MARKS = {"float32": "o", "float16": "s", "int8": "^"}


@dataclass(frozen=True, slots=True)
class Choice:
    """One row of the table: a model file.

    Attributes:
        name: of the model.
        version: of the model, or of the one that it was converted from.
        precision: of weights and activations.
        accuracy: share of the test images that is classified correctly.
        accuracy_interval: 95 % interval (Wilson).
        calibration_error: expected calibration error, over 15 bins.
        multiply_adds: for one image.
        file_bytes: size of the file.
        images_per_s: on one core, at each batch size; the median of the rounds.
    """

    name: str
    version: str
    precision: str
    accuracy: float
    accuracy_interval: tuple[float, float]
    calibration_error: float
    multiply_adds: int
    file_bytes: int
    images_per_s: dict[int, float]


def main(words: Sequence[str]) -> None:
    """Measures, prints the table, writes the report and draws the picture."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.model_table",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("data", type=Path, metavar="DATA", help="folder with the publishers' files of both data sets")
    place: Path = parser.parse_args(words).data
    for name in ("cifar10", "mnist"):
        try:
            sources.load(name, place, sources.OwnPictures())
        except DataError as error:
            parser.error(str(error))
    with tempfile.TemporaryDirectory() as scratch:
        files = list(_files(place, Path(scratch)))
        networks = [Network(path) for path, _ in files]
        choices = [
            replace(choice, images_per_s=speed) for (_, choice), speed in zip(files, _speeds(networks), strict=True)
        ]
    machine = asdict(describe_machine()) | {"onnxruntime": onnxruntime.__version__}
    _REPORT.write_text(json.dumps({"machine": machine, "choices": [asdict(one) for one in choices]}, indent=2) + "\n")
    print(table(choices))
    draw(choices, _FIGURE)


def table(choices: list[Choice]) -> str:
    """The choices in Markdown."""
    lines = [
        "| model | accuracy, 95 % interval | calibration error | multiply-adds | file | images/s, batch 1 | batch 32 |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for one in choices:
        low, high = one.accuracy_interval
        cells = (
            f"{one.name}/{one.version}" + ("" if one.precision == "float32" else f" {one.precision}"),
            f"{one.accuracy:.2%} ({low:.2%} to {high:.2%})",
            f"{one.calibration_error:.2%}",
            f"{one.multiply_adds / 1e6:.1f} million",
            f"{one.file_bytes / 1e6:.1f} MB",
            *(f"{one.images_per_s[batch]:,.0f}" for batch in _BATCHES),
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def draw(choices: list[Choice], path: Path) -> None:
    """Draws accuracy against speed, one panel per data set."""
    plt.rcParams.update({"font.size": 10, "font.family": "DejaVu Sans"})
    names = sorted({one.name for one in choices})
    figure, panels = plt.subplots(1, len(names), figsize=(5.2 * len(names), 3.9), layout="constrained", squeeze=False)
    for axes, name in zip(panels[0], names, strict=True):
        for number, version in enumerate(sorted({one.version for one in choices if one.name == name}, key=int)):
            for one in (each for each in choices if (each.name, each.version) == (name, version)):
                low, high = one.accuracy_interval
                axes.errorbar(
                    one.images_per_s[32],
                    100 * one.accuracy,
                    yerr=[[100 * (one.accuracy - low)], [100 * (high - one.accuracy)]],
                    fmt=_MARKS[one.precision],
                    color=f"C{number}",
                    label=f"version {version}" if one.precision == "float32" else None,
                    capsize=2,
                    markersize=7,
                )
        axes.set_xscale("log")
        speeds = [one.images_per_s[32] for one in choices if one.name == name]
        if max(speeds) < _DECADE * min(speeds):
            axes.xaxis.set_major_locator(MaxNLocator(5))
            axes.xaxis.set_minor_locator(NullLocator())
        else:
            axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_title(name, loc="left", fontweight="bold")
        axes.set_xlabel("images/s on one core, batches of 32")
        axes.set_ylabel("right of 10,000 test images, %")
        axes.grid(alpha=0.25, which="both")
        axes.spines[["top", "right"]].set_visible(False)
        axes.margins(x=0.12)
        # Beside the title, where it covers no point.
        place = {"loc": "lower right", "bbox_to_anchor": (1, 1), "ncols": 4}
        axes.legend(frameon=False, fontsize=9, columnspacing=0.4, handletextpad=0, borderpad=0.2, **place)
    figure.suptitle("Right answers against speed: circle float32, square float16, triangle int8; bars: 95 % intervals")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def _files(place: Path, scratch: Path) -> Iterator[tuple[Path, Choice]]:
    """Each file with its figures, except its speed."""
    for folder in sorted(MODELS.glob("*/*/"), key=lambda found: (found.parent.name, int(found.name))):
        path = folder / "model.onnx"
        yield path, _worth(path, folder.parent.name, folder.name, "float32", place)
        for precision in _PRECISIONS:
            made = convert(path, precision, place, scratch).metadata
            converted = scratch / made.name / made.version / "model.onnx"
            yield converted, _worth(converted, folder.parent.name, folder.name, precision, place)


def _worth(path: Path, name: str, version: str, precision: str, place: Path) -> Choice:
    data = sources.load(name, place, sources.OwnPictures())
    evaluation = measure(OnnxClassifier.open(path), data.test, data.labels).evaluation
    rows, _ = onnx_rows(onnx.load(path))
    return Choice(
        name,
        version,
        precision,
        evaluation.accuracy,
        evaluation.accuracy_interval,
        evaluation.expected_calibration_error,
        sum(row.multiply_adds or 0 for row in rows),
        path.stat().st_size,
        {},
    )


def _speeds(networks: list[Network]) -> list[dict[int, float]]:
    """Images per second of each network at each batch size: the median of alternating rounds."""
    random = np.random.default_rng(0)
    found: list[dict[int, list[float]]] = [{batch: [] for batch in _BATCHES} for _ in networks]
    for _ in range(_ROUNDS):
        for network, rates in zip(networks, found, strict=True):
            for batch in _BATCHES:
                images = random.integers(0, 256, (batch, *network.metadata.input_shape), np.uint8)
                rates[batch].append(batch * runs_per_s(partial(network.run, images), _ROUND_S))
    return [{batch: median(rates[batch]) for batch in _BATCHES} for rates in found]


if __name__ == "__main__":
    main(sys.argv[1:])
