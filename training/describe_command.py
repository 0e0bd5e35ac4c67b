"""The command ``convoy describe``: lists the layers of any network, and draws a version's figures or feature maps."""

# ruff: noqa: PLC0415  # imports wait until a case needs them

import argparse
import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.files import MEBIBYTE, model_file, read_file
from training.start_tensorflow import start_tensorflow
from training.train_command import add_data_dir

if TYPE_CHECKING:
    import onnx

    from contract import ModelMetadata
    from training.measurement import Measurement

_ITS_OWN = Path("-")
_MOST_RECORD_BYTES = 64 * MEBIBYTE
_SAME_ACCURACY = 0.005  # another processor may round a few answers to another class
_KERAS = (".keras", ".h5", ".hdf5")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of the command."""
    parser.add_argument(
        "network",
        metavar="NETWORK",
        help="cifar10 or mnist; a version, such as models/cifar10/2; or any .onnx, .keras or .h5 file",
    )
    parser.add_argument(
        "--figures",
        nargs="?",
        type=Path,
        const=_ITS_OWN,
        metavar="DIR",
        help="draw a version's figures again, without training, into DIR (default: its own figures/); with "
        "--data-dir also those that show pictures of its data set",
    )
    parser.add_argument(
        "--picture",
        type=Path,
        metavar="FILE",
        help="draw kernels and feature maps for a picture of your own (into NAME-VERSION-FILE/ unless --figures DIR)",
    )
    add_data_dir(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """Prints the layers, or draws figures."""
    from training.data.sources import BUILT_IN
    from training.errors import ModelFileError

    path = Path(options.network)
    draws = options.figures is not None or options.picture is not None
    if options.network in BUILT_IN and not draws:
        start_tensorflow()
        from training.describe import describe

        describe(options.network)
        return
    file = _file(path)
    if draws and file.suffix.lower() in _KERAS:
        raise ModelFileError(f"{file}: figures are drawn from exported files; `convoy import {file}` makes one")
    if options.picture is not None:
        _draw_picture(file, options.picture, options.figures)
    elif options.figures is not None:
        _draw_figures(file, options.figures, options.data_dir, skip_bad=options.skip_bad)
    else:
        _print_layers(file)


def _file(path: Path) -> Path:
    """The file of a network.

    Raises:
        ModelFileError: there is none.
    """
    from training.data.sources import BUILT_IN
    from training.errors import ModelFileError

    if path.is_dir():
        return model_file(path)
    if not path.exists():
        hint = (
            f"say a version, such as models/{path}/2"
            if str(path) in BUILT_IN
            else "cifar10 and mnist are known by name"
        )
        raise ModelFileError(f"{path} is no file or folder; {hint}")
    if not path.is_file():  # reading a named pipe could wait forever
        raise ModelFileError(f"{path} is not a regular file")
    if path.suffix.lower() not in (".onnx", *_KERAS):
        raise ModelFileError(f"{path}: .onnx, .keras and .h5 files can be described")
    return path


def _print_layers(file: Path) -> None:
    from training.layer_row import print_rows

    size = f"{file.stat().st_size / 1e6:.2f} MB"
    if file.suffix.lower() in _KERAS:
        start_tensorflow()
        from training.importing.keras_network import load_network
        from training.keras_layers import keras_rows

        network = load_network(file)
        inputs = ", ".join(str(list(tensor.shape)) for tensor in getattr(network, "inputs", None) or ())
        print_rows(f"{file}: a Keras network", {"file": size, "takes": inputs or "not said"}, *keras_rows(network))
        return
    from training.importing.onnx_graph import read_onnx, shown
    from training.onnx_layers import onnx_rows

    model = read_onnx(file)
    used = {node.domain for node in model.graph.node}
    opsets = ", ".join(
        f"{said.domain or 'ai.onnx'} {said.version}" for said in model.opset_import if said.domain in used
    )
    facts = {
        "file": f"{size}, opset {opsets}",
        "takes": ", ".join(f"{value.name} {shown(value)}" for value in model.graph.input),
        "answers": ", ".join(f"{value.name} {shown(value)}" for value in model.graph.output),
    }
    print_rows(f"{file}: an ONNX graph", facts | _said(_metadata(model)), *onnx_rows(model))


def _metadata(model: "onnx.ModelProto") -> "ModelMetadata | None":
    """The file's metadata; None where it is not a file of this project."""
    from contract import ContractError, ModelMetadata

    try:
        return ModelMetadata.from_props({entry.key: entry.value for entry in model.metadata_props})
    except ContractError:
        return None


def _said(said: "ModelMetadata | None") -> dict[str, str]:
    from training.card import interval

    if said is None:
        return {}
    score = said.evaluation
    measured = score and f"{score.accuracy:.2%} ({interval(score)}) of {score.images:,} images"
    names = ", ".join(said.class_names[:10]) + (", ..." if len(said.class_names) > 10 else "")
    return {
        "model": f"{said.name}, version {said.version}",
        "classes": f"{len(said.labels)}: {names}",
        "accuracy": measured or "not measured",
        "temperature": f"{said.temperature:.4f}",
    }


def _draw_picture(file: Path, picture: Path, place: Path | None) -> None:
    from imaging import Target
    from training.data.picture import read_picture
    from training.errors import ModelFileError
    from training.figures.album import draw_inside

    said, content, probabilities = _opened(file)
    pixels = read_picture(picture, Target.of(said))
    answered = probabilities(pixels)
    order = answered.argsort()[::-1][:3]
    print(", ".join(f"{said.class_names[index]} {answered[index]:.1%}" for index in order))
    folder = place if place not in (None, _ITS_OWN) else Path(f"{said.name}-{said.version}-{picture.stem}")
    heading = f"What {said.name}, version {said.version}, makes of a picture"
    drawn = draw_inside(folder, content, pixels, heading)
    if not drawn:
        raise ModelFileError(f"{file} has no convolution whose kernels or maps could be shown")
    print(f"{folder}: {', '.join(f'{name}.png' for name in drawn)}")


def _opened(file: Path) -> tuple["ModelMetadata", bytes, Any]:
    """(metadata, content, function from pixels uint8 [H, W, C] to probabilities [K])."""
    from training.errors import ModelFileError
    from training.importing.onnx_graph import read_onnx
    from training.onnx_classifier import OnnxClassifier

    said = _metadata(read_onnx(file))
    if said is None:
        raise ModelFileError(
            f"{file} does not say how a picture becomes its input; `convoy import` makes a version that does"
        )
    content = file.read_bytes()
    classifier = OnnxClassifier(content, str(file))
    return said, content, lambda pixels: classifier.predict(pixels[None])[0]


def _record(file: Path) -> dict[str, Any]:
    """A version's ``metrics.json``."""
    from training.errors import ModelFileError

    try:
        record = json.loads(read_file(file, _MOST_RECORD_BYTES))
    except (ValueError, RecursionError):
        record = None
    if not isinstance(record, dict):
        raise ModelFileError(f"{file} is damaged: it is not a JSON object")
    return record


def _check_measured(said: "ModelMetadata", test: "Measurement") -> None:
    """Checks that pictures are those that a version was measured on, which its own figures show.

    Raises:
        DataError: their number, or the accuracy on them, is another than the version's.
    """
    from training.errors import DataError

    published, found = said.evaluation, test.evaluation
    if published is None:  # nothing was measured that these pictures could be taken for
        return
    if found.images != published.images or abs(found.accuracy - published.accuracy) > _SAME_ACCURACY:
        raise DataError(
            f"the test pictures of --data-dir are not those that the version was measured on: {found.accuracy:.2%} of "
            f"{found.images:,} are right, and were {published.accuracy:.2%} of {published.images:,}. Its own figures "
            "stay as they are: say --figures DIR, and these are drawn there"
        )


def _draw_figures(file: Path, place: Path, data_dir: Path | None, *, skip_bad: bool) -> None:
    from training.data import sources
    from training.data.skip_list import SKIP_LIST
    from training.figures.album import Shown, draw_album
    from training.figures.captions import CAPTIONS
    from training.measurement import measure, uncalibrated
    from training.onnx_classifier import OnnxClassifier

    said, content, _ = _opened(file)
    own = file.with_name("figures")
    folder = own if place == _ITS_OWN else place
    record_file = file.with_name("metrics.json")
    shown = Shown(said, _record(record_file) if record_file.is_file() else {}, content)
    if data_dir is not None:
        data = sources.load_for(said, data_dir, Path(SKIP_LIST) if skip_bad else None)
        shown = dataclasses.replace(shown, data_set=data)
        if not said.multi_label:  # a folder gives a picture one label, which says nothing of the others
            test = measure(OnnxClassifier(content, str(file)), data.test, data.labels)
            if folder.resolve() == own.resolve():
                _check_measured(said, test)
            shown = dataclasses.replace(shown, test=test, raw=uncalibrated(test, said.temperature))
    drawn = draw_album(folder, shown)
    print(f"{folder}: {', '.join(f'{name}.png' for name in drawn)}")
    missing = [name for name in CAPTIONS if name not in drawn]
    if missing:
        why = "" if data_dir else "; some need the data set: --data-dir"
        print(f"not drawn, since what they show is not in the version: {', '.join(missing)}{why}")
