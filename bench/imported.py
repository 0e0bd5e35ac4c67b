"""Times `convoy import` for every kind of source, and a service with the model up to its first answer.

``python -m bench.imported [onnx] [keras] [FOLDER]`` (FOLDER: ``build/import-sources`` of ``make import-test``)::

    sources made here, random weights -> convoy import in a new process -> a service with this model
                                      -> the first answer to a picture -> a table, bench/reports/imported.json
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import httpx
import numpy as np
import onnx

from bench.folders import REPORTS, SAMPLES
from bench.foreign_networks import CLASSES, write_labels, write_network
from bench.machine import describe_machine
from bench.server_process import ServerProcess

_REPORT = REPORTS / "imported.json"
_LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
_IMAGENET = "--preprocessing imagenet --resize shortest-edge:256 --crop 224"


@dataclass(frozen=True, slots=True)
class Row:
    """The result for one source.

    Attributes:
        source: a description of it.
        layers: the number of its layers or nodes.
        words: the options of the import.
        difference: the largest difference of a probability from the source's answer.
        import_s: duration of the command, in seconds.
        first_answer_s: duration of the command, a service's start and its first answer, in seconds.
    """

    source: str
    layers: int
    words: str
    difference: float
    import_s: float
    first_answer_s: float


def measure_row(source: str, path: Path, words: str, classes: int | None, folder: Path) -> Row:
    """Imports one source, starts a service, and sends one request."""
    command = [sys.executable, "-m", "convoy", "import", str(path), "--name", "own", "--out", str(folder / "models")]
    if classes is not None:
        command += ["--labels", str(write_labels(folder / "labels.txt", classes))]
    begin = time.monotonic()
    done = subprocess.run([*command, *words.split()], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{source}: {done.stderr}")
    import_s = time.monotonic() - begin
    with ServerProcess(folder / "log", "--models-dir", str(folder / "models")) as server:
        picture = (SAMPLES / "cifar10_cat_0.png").read_bytes()
        answer = httpx.post(f"{server.url}/predict", files={"file": picture}, timeout=60)
        answer.raise_for_status()
        first_answer_s = time.monotonic() - begin
    training = json.loads((folder / "models" / "own" / "1" / "metrics.json").read_text())["training"]
    return Row(source, training["layers"], words, training["proof"]["largest_difference"], import_s, first_answer_s)


def _keras_sources(folder: Path) -> Iterator[tuple[str, Path, str, int | None]]:
    import keras  # noqa: PLC0415  seconds
    from keras import layers  # noqa: PLC0415

    keras.utils.set_random_seed(1)
    rng = np.random.default_rng(0)

    def network(
        shape: tuple[int, ...], classes: int, activation: str | None, scale: float | None = None
    ) -> keras.Model:
        image = layers.Input(shape)
        values = layers.Rescaling(scale)(image) if scale else image
        values = layers.Conv2D(8, 3, strides=2, activation="relu")(values)
        values = layers.Conv2D(8, 3, activation="relu")(values)
        return keras.Model(image, layers.Dense(classes, activation=activation)(layers.Flatten()(values)))

    def saved(name: str, made: keras.Model) -> Path:
        path = folder / name
        if path.suffix:
            made.save(path)
        else:
            made.export(path, verbose=False)
        return path

    unit = "--preprocessing unit"
    yield "Keras, 28x28 grey, softmax", saved("a.keras", network((28, 28, 1), 10, "softmax")), unit, 10
    scaled = network((96, 96, 3), 5, None, 1 / 255)
    yield "Keras, functional 96x96, Rescaling, logits", saved("b.keras", scaled), "", 5
    yield "Keras HDF5", saved("c.h5", network((64, 64, 3), 4, "softmax")), unit, 4
    yield "SavedModel", saved("d", network((64, 64, 3), 4, "softmax")), unit, 4
    yield "Keras, one sigmoid unit", saved("e.keras", network((64, 64, 3), 1, "sigmoid")), unit, 2
    several = network((64, 64, 3), 7, "sigmoid")
    yield "Keras, seven sigmoids", saved("f.keras", several), f"{unit} --multi-label --resize cover", 7
    mobile = keras.applications.MobileNetV2(weights=None, classes=10)
    for variable in mobile.weights:
        if len(variable.shape) == 1:
            least, most = (0.5, 1.5) if variable.path.endswith(("variance", "gamma")) else (-0.3, 0.3)
            variable.assign(rng.uniform(least, most, variable.shape))
    yield "MobileNetV2, 224x224", saved("g.keras", mobile), "--preprocessing signed", 10


def _onnx_sources(folder: Path) -> Iterator[tuple[str, Path, str, int | None]]:
    small = "--preprocessing imagenet --resize shortest-edge:20 --crop 16"
    yield "ONNX, NCHW, open batch", write_network(folder / "open.onnx"), small, CLASSES
    yield "ONNX, fixed batch of 1", write_network(folder / "fixed.onnx", batch=1), small, CLASSES
    yield "ONNX, float16", write_network(folder / "half.onnx", dtype=np.float16), small, CLASSES
    names = str({index: f"part {index}" for index in range(CLASSES)})
    written = {"task": "classify", "imgsz": "[16, 16]", "names": names}
    yield "ONNX, Ultralytics' metadata", write_network(folder / "y.onnx", head="softmax", metadata=written), "", CLASSES
    for name in ("resnet50", "squeezenet", "densenet121"):
        yield f"{name} of the package onnx (constant weights)", _LIGHT / f"light_{name}.onnx", _IMAGENET, 1000


def _folders(root: Path, _folder: Path) -> Iterator[tuple[str, Path, str, int | None]]:
    for source, name in (("transformers, ViT", "vit"), ("transformers, ResNet", "resnet"), ("timm, ResNet-18", "timm")):
        yield source, root / name, "", None


def main(arguments: list[str]) -> None:
    """Prints the table and writes the report; rows of sources that are not measured now stay as they were."""
    rows = {row["source"]: Row(**row) for row in json.loads(_REPORT.read_text())["rows"]} if _REPORT.exists() else {}
    kinds: dict[str, Callable[[Path], Iterator[tuple[str, Path, str, int | None]]]] = {
        "onnx": _onnx_sources,
        "keras": _keras_sources,
    }
    wanted = [kinds.get(word) or partial(_folders, Path(word)) for word in arguments or kinds]
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for index, (source, path, words, classes) in enumerate(found for kind in wanted for found in kind(folder)):
            place = folder / f"row-{index}"
            place.mkdir()
            row = rows[source] = measure_row(source, path, words, classes, place)
            print(_line(row), flush=True)
            report = {"machine": asdict(describe_machine()), "rows": [asdict(row) for row in rows.values()]}
            _REPORT.write_text(json.dumps(report, indent=2) + "\n")


def _line(row: Row) -> str:
    how = f"`{row.words}`" if row.words else "nothing said"
    numbers = f"{row.difference:.0e} | {row.import_s:.1f} | {row.first_answer_s:.1f}"
    return f"| {row.source} | {row.layers} | {how} | {numbers} |"


if __name__ == "__main__":
    main(sys.argv[1:])
