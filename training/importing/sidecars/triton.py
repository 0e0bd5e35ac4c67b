"""Reads a model folder of Triton: ``config.pbtxt``, and ``<version>/model.onnx`` or ``model.savedmodel``.

It states the place of the model file, the output that classifies, and the labels if they are in a file. It does not
state the preprocessing, which in Triton is done by the client or by another model.

Source: https://github.com/triton-inference-server/server/blob/main/docs/user_guide/model_configuration.md and
model_repository.md.
"""

from dataclasses import dataclass
from pathlib import Path

from training.errors import ImportRefusedError
from training.files import leads_out
from training.importing.labels import Labels
from training.importing.sidecars.text_format import Message, TextFormatError, parse
from training.importing.stated import Fact, Stated

CONFIG = "config.pbtxt"
_MOST_BYTES = 1 << 20
_DEFAULT_FILES = {"onnxruntime": "model.onnx", "tensorflow": "model.savedmodel"}
_BACKENDS = {"onnxruntime_onnx": "onnxruntime", "tensorflow_savedmodel": "tensorflow"}
_OTHERS = {
    "ensemble": "is several models in a row; import the one that classifies, and say with flags what the others do",
    "dali": "prepares pictures for another model; import that one, and say its preparation with --preprocessing",
    "python": "is a program and no network; import what it runs",
    "pytorch": "is TorchScript; export the network to ONNX (torch.onnx.export) and import that",
    "pytorch_libtorch": "is TorchScript; export the network to ONNX (torch.onnx.export) and import that",
    "tensorrt": "is compiled for one kind of GPU; import the ONNX file that it was made of",
    "tensorrt_plan": "is compiled for one kind of GPU; import the ONNX file that it was made of",
    "openvino": "is OpenVINO's; import the ONNX file that it was made of",
    "tensorflow_graphdef": "is a frozen graph of TensorFlow 1; export a SavedModel and import that",
}


@dataclass(frozen=True, slots=True)
class TritonModel:
    """The facts that a folder states.

    Attributes:
        file: the model file, or the folder of a SavedModel, of the newest version.
        stated: the labels and the output.
    """

    file: Path
    stated: Stated


def read(folder: Path) -> TritonModel | None:
    """Reads a model's folder, or a repository that holds one model.

    Args:
        folder: of the model or the repository.

    Returns:
        The facts; None where there is no ``config.pbtxt``.

    Raises:
        ImportRefusedError: it holds several models, is damaged, or is of a kind that cannot be imported.
    """
    if not (folder / CONFIG).is_file():
        models = sorted(path.parent for path in folder.glob(f"*/{CONFIG}"))
        if not models:
            return None
        if len(models) > 1:
            names = ", ".join(model.name for model in models)
            raise ImportRefusedError(f"{folder}: a repository of several models ({names}); name one: {models[0]}")
        folder = models[0]
    config = _parse(folder / CONFIG)
    file = _model_file(folder, config)
    return TritonModel(file, _stated(folder, config))


def _parse(path: Path) -> Message:
    if not path.is_file() or path.stat().st_size > _MOST_BYTES:
        raise ImportRefusedError(
            f"{path} is not a file of at most {_MOST_BYTES >> 20} MiB: it is no configuration of Triton"
        )
    try:
        return parse(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError:
        raise ImportRefusedError(f"{path} is no configuration of Triton: it is not UTF-8 text") from None
    except TextFormatError as error:
        raise ImportRefusedError(f"{path} is no configuration of Triton: {error}") from None


def _text(message: Message, name: str) -> str:
    """The text of a field: its last value, as in protobuf; empty where it has none."""
    value = message.get(name, [""])[-1]
    return value if isinstance(value, str) else ""


def _model_file(folder: Path, config: Message) -> Path:
    origin = folder / CONFIG
    platform, backend = _text(config, "platform"), _text(config, "backend")
    said = backend or platform
    backend = _BACKENDS.get(platform, backend)
    if said and backend not in _DEFAULT_FILES:
        why = _OTHERS.get(said, "is of a kind that cannot be imported; export the network to ONNX and import that")
        raise ImportRefusedError(f"{origin}: the model is of {said}, which {why}")
    versions = sorted((path for path in folder.iterdir() if path.is_dir() and path.name.isdecimal()), key=_number)
    if not versions:
        raise ImportRefusedError(f"{folder}: it has {CONFIG} and no folder of a version, such as {folder.name}/1")
    named = _text(config, "default_model_filename")
    names = [named] if named else [_DEFAULT_FILES[backend]] if backend else list(_DEFAULT_FILES.values())
    found = [versions[-1] / name for name in names if (versions[-1] / name).exists()]
    if not found:
        raise ImportRefusedError(f"{versions[-1]}: {' or '.join(names)} is missing, which {CONFIG} names")
    if leads_out(found[0], folder):
        raise ImportRefusedError(f"{found[0]} leads out of the model's folder; copy the file itself there")
    return found[0]


def _stated(folder: Path, config: Message) -> Stated:
    origin = f"{folder.resolve().name}/{CONFIG}"
    outputs = [output for output in config.get("output", []) if isinstance(output, dict)]
    labelled = [output for output in outputs if _text(output, "label_filename")]
    chosen: Message = labelled[0] if len(labelled) == 1 else outputs[0] if len(outputs) == 1 else {}
    labels = None
    if name := _text(chosen, "label_filename"):
        path = folder / name
        if leads_out(path, folder):
            raise ImportRefusedError(f"{origin}: label_filename {name!r} leads out of the model's folder")
        if path.exists() and not path.is_file():  # reading a named pipe could wait forever
            raise ImportRefusedError(f"{origin}: label_filename {name!r} is not a regular file")
        read = Labels.read(path)
        labels = Fact(read, f"{origin}, label_filename{read.remark}")
    output = _text(chosen, "name")
    return Stated(labels=labels, output=Fact(output, f"{origin}, output") if output else None)


def _number(path: Path) -> int:
    return int(path.name)
