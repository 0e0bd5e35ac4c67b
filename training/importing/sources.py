"""Chooses the reader of a source: for a file by its extension, for a folder by its files."""

import re
from pathlib import Path

from training.errors import ImportRefusedError
from training.files import leads_out
from training.importing.onnx_source import open_onnx
from training.importing.sidecars import huggingface, timm, triton
from training.importing.source import Source
from training.importing.stated import Stated
from training.start_tensorflow import start_tensorflow

CHOICES = """\
  my_model.keras, my_model.h5       saved by Keras
  saved_model/                      a folder with saved_model.pb (model.export, Keras 2 and 3)
  model.onnx                        exported by anything; files of Hugging Face or timm beside it are read
  hf-folder/                        config.json, preprocessor_config.json and model.onnx
  triton-model/                     config.pbtxt, and model.onnx or model.savedmodel in a folder of a version"""

_ONNX_PLACES = ("model.onnx", "onnx/model.onnx")
_PICKLES = {
    ".pt": "PyTorch",
    ".pth": "PyTorch",
    ".ckpt": "PyTorch",
    ".bin": "PyTorch",
    ".pkl": "pickle",
    ".pickle": "pickle",
    ".joblib": "pickle",
}


_KERAS_FILES = (".keras", ".h5", ".hdf5")
_CHECKPOINTS = "checkpoint"  # the list that TensorFlow keeps of them in their folder
_CHECKPOINT = re.compile(r"\.(index|data-\d+-of-\d+)$")
_WEIGHTS_ONLY = (
    "checkpoints of TensorFlow are weights without a network: make the network in Python, load them into it as where "
    "they were saved (load_weights, or tf.train.Checkpoint), and save it: model.save('model.keras')"
)


def open_source(path: Path, flags: Stated) -> Source:
    """Opens a foreign classifier.

    Args:
        path: of a file or a folder.
        flags: the facts from the command line.

    Raises:
        ImportRefusedError: it is of a kind that cannot be read, or damaged.
    """
    if not path.exists():
        if path.with_name(f"{path.name}.index").is_file():
            raise ImportRefusedError(f"{path}: {_WEIGHTS_ONLY}")
        raise ImportRefusedError(f"{path} does not exist; these can be imported:", CHOICES)
    if path.is_dir():
        return _open_folder(path, flags)
    if not path.is_file():  # reading a named pipe could wait forever
        raise ImportRefusedError(f"{path} is not a regular file; these can be imported:", CHOICES)
    kind = path.suffix.lower()
    if kind == ".onnx":
        return open_onnx(path, flags, _sidecars(path.parent, flags))
    if kind in _KERAS_FILES:
        return _open_keras(path, flags)
    if kind in _PICKLES:
        raise ImportRefusedError(
            f"{path}: a {_PICKLES[kind]} file is a pickle, which runs code when it is read; export the model to ONNX "
            "(torch.onnx.export) and import that"
        )
    if way_out := _way_out(path):
        raise ImportRefusedError(f"{path}: {way_out}")
    raise ImportRefusedError(f"{path}: {kind or 'a file without an ending'} cannot be imported; these can:", CHOICES)


def _way_out(path: Path) -> str:
    """What to do with a file of TensorFlow that is not read; empty for other files."""
    if path.name in ("saved_model.pb", "saved_model.pbtxt"):
        return f"a SavedModel is imported as the folder that holds this file: {path.parent}"
    if path.suffix == ".pb":
        return (
            "a frozen graph of TensorFlow 1 does not say what it takes and gives; convert it and import that: python "
            "-m tf2onnx.convert --graphdef FILE --inputs NAME:0 --outputs NAME:0 --output model.onnx"
        )
    if path.suffix == ".tflite":
        return (
            "import the .keras file or SavedModel that it was made from, or convert it and import that: "
            "python -m tf2onnx.convert --tflite FILE --output model.onnx"
        )
    if path.name == _CHECKPOINTS or _CHECKPOINT.search(path.name):
        return _WEIGHTS_ONLY
    return ""


def _open_folder(path: Path, flags: Stated) -> Source:
    if (found := triton.read(path)) is not None:
        return _open_triton(found, flags)
    if (path / "saved_model.pb").exists():
        start_tensorflow()
        from training.importing.saved_model_source import open_saved_model  # noqa: PLC0415  TensorFlow, seconds

        return open_saved_model(path, flags)
    for place in _ONNX_PLACES:
        model = path / place
        if model.exists():
            if leads_out(model, path):
                raise ImportRefusedError(f"{model} is a link that leads out of its folder; copy the file itself there")
            return open_onnx(model, flags, _sidecars(path, flags))
    files = sorted(model for model in path.glob("*.onnx"))
    if len(files) == 1:
        return open_onnx(files[0], flags, _sidecars(path, flags))
    if keras_files := sorted(model for model in path.iterdir() if model.suffix.lower() in _KERAS_FILES):
        named = ", ".join(str(file) for file in keras_files)
        raise ImportRefusedError(f"{path}: a Keras file is imported by its own name: {named}")
    if (path / _CHECKPOINTS).is_file() or any(path.glob("*.ckpt.index")):
        raise ImportRefusedError(f"{path}: {_WEIGHTS_ONLY}")
    named = ", ".join(file.name for file in files) or "none"
    raise ImportRefusedError(
        f"{path}: it holds neither saved_model.pb nor model.onnx (ONNX files: {named}). A folder with weights of "
        "PyTorch only is exported first: optimum-cli export onnx --model FOLDER OUT"
    )


def _open_triton(found: triton.TritonModel, flags: Stated) -> Source:
    if found.file.is_dir():
        start_tensorflow()
        from training.importing.saved_model_source import open_saved_model  # noqa: PLC0415  TensorFlow, seconds

        return open_saved_model(found.file, Stated.merged([flags, found.stated]))
    return open_onnx(found.file, flags, [found.stated, *_sidecars(found.file.parent, flags)])


def _sidecars(folder: Path, flags: Stated) -> list[Stated]:
    size = flags.size.value if flags.size else None
    said = (timm.read(folder, size), huggingface.read(folder))
    return [stated for stated in said if stated is not None]


def _open_keras(path: Path, flags: Stated) -> Source:
    start_tensorflow()
    from training.importing.keras_source import open_keras  # noqa: PLC0415  TensorFlow, seconds

    return open_keras(path, flags)
