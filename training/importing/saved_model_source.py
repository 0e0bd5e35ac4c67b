"""Reads SavedModel folders: of Keras 2 and 3 (``model.export``), and of TensorFlow itself."""

from pathlib import Path

import tensorflow as tf

from training.errors import ImportRefusedError
from training.files import reason
from training.importing import tensorflow_graph
from training.importing.input_probe import probe_scaling
from training.importing.input_scaling import find_scaling
from training.importing.keras_network import channels_first
from training.importing.keras_resizing import AS_KERAS, ASSUMED_RESIZING, as_keras_resizes, size_is_open
from training.importing.onnx_graph import find_input, find_output
from training.importing.onnx_source import input_size, last_operation
from training.importing.resizing import CHOICES
from training.importing.saved_model_check import check_saved_model
from training.importing.source import Source
from training.importing.stated import Stated, Unclear
from training.importing.tensorflow_answer import answer_of

_SIGNATURES = ("serving_default", "serve")
_RESIZING = ("ResizeBilinear", "ResizeNearestNeighbor", "ResizeBicubic", "ResizeArea", "ScaleAndTranslate")
_GREY = 3  # axes of grey pictures without one for channels, [N, H, W]
_CHANNELS = (1, 3)


def open_saved_model(path: Path, flags: Stated) -> Source:
    """Reads a SavedModel as a source.

    Raises:
        ImportRefusedError: it is damaged, would use files or Python code, cannot be converted, or is no image
            classifier.
    """
    check_saved_model(path)
    try:
        loaded = tf.saved_model.load(str(path))
    except Exception as error:  # TensorFlow raises whatever an operation does
        raise ImportRefusedError(f"{path}: TensorFlow {tf.__version__} cannot load it: {reason(error)}") from error
    signature = next((name for name in _SIGNATURES if name in loaded.signatures), None)
    if signature is None:
        names = ", ".join(loaded.signatures) or "none"
        raise ImportRefusedError(f"{path}: no signature {' or '.join(_SIGNATURES)}; it has {names}")
    function = loaded.signatures[signature]
    (_, taken_by_name) = function.structured_input_signature
    if len(taken_by_name) != 1:
        raise ImportRefusedError(f"{path}: an image classifier takes one input; this one takes {len(taken_by_name)}")
    (name,) = taken_by_name
    outputs = list(function.structured_outputs)
    wanted = flags.output.value if flags.output else None
    if wanted is None and len(outputs) > 1:
        raise ImportRefusedError(f"{path}: it has the outputs {', '.join(outputs)}; say which one classifies: --output")
    if wanted is not None and wanted not in outputs:
        raise ImportRefusedError(f"--output {wanted}: {path} has {', '.join(outputs)}")
    key = wanted or outputs[0]

    spec = taken_by_name[name]
    pictures = _pictures(spec, flags, path)
    batch, height, width, _ = pictures.shape

    def answers(image: tf.Tensor) -> tf.Tensor:
        without_channels = tf.reshape(image, [batch or -1, height, width]) if spec.shape.rank == _GREY else image
        return function(**{name: without_channels})[key]

    concrete = tf.function(answers, input_signature=[pictures]).get_concrete_function()
    model = tensorflow_graph.to_onnx(concrete, str(path))
    taken = find_input(model, str(path))
    if taken.layout != "NHWC":
        raise channels_first(path, spec.shape)
    unsaid = Stated(resizing=ASSUMED_RESIZING) if _is_fixed(spec) else _resizing_in(function, path)
    stated = Stated.merged([as_keras_resizes(flags), unsaid])
    size = input_size(taken, stated, str(path))
    scaling, inside = probe_scaling(model, taken, size) or find_scaling(model, taken.name)
    output = find_output(model, None, str(path))
    return Source(
        origin=path,
        kind="SavedModel",
        framework=f"TensorFlow {tf.__version__}",
        layers=len(model.graph.node),
        graph=model,
        taken=taken,
        output=output,
        last=last_operation(model, output),
        answer=answer_of(concrete, pictures, path, key),
        stated=stated,
        resizes=AS_KERAS,
        scales_inside=scaling,
        inside=inside,
    )


def _pictures(spec: tf.TensorSpec, flags: Stated, path: Path) -> tf.TensorSpec:
    """[N, H, W, C] of the pictures, where [N, H, W] are grey ones, with the stated size where it is open."""
    if spec.dtype == tf.string:
        raise ImportRefusedError(
            f"{path}: it takes texts, such as encoded pictures; export the network that comes after decoding, which "
            "takes pixels [N, H, W, C]"
        )
    shape = list(spec.shape) if spec.shape.rank is not None else []
    is_grey = len(shape) == _GREY and shape[0] in (None, 1) and shape[2] not in _CHANNELS
    if len(shape) != _GREY + 1 and not is_grey:
        raise ImportRefusedError(f"{path}: it takes {spec.shape}; pictures [N, H, W, C] or [N, H, W] are needed")
    if not is_grey and shape[1] in _CHANNELS and shape[3] not in _CHANNELS:
        raise channels_first(path, spec.shape)
    if not _is_fixed(spec):
        if flags.size is None:
            raise size_is_open(path)
        height, width = flags.size.value
        shape[1:3] = [shape[1] or height, shape[2] or width]
    return tf.TensorSpec(shape + [1] * is_grey, spec.dtype, name="image")


def _is_fixed(spec: tf.TensorSpec) -> bool:
    return None not in list(spec.shape)[1:3]


def _resizing_in(function: tf.types.experimental.ConcreteFunction, path: Path) -> Stated:
    """An unclear rule where the graph resizes pictures itself; otherwise none is stated."""
    graph = function.graph.as_graph_def()
    everywhere = [*graph.node, *(node for item in graph.library.function for node in item.node_def)]
    found = next((node.op for node in everywhere if node.op in _RESIZING), None)
    if found is None:
        return Stated()
    error = ImportRefusedError(
        f"{path}: it takes pictures of any size, and its graph resizes them itself ({found}), in a way that is not "
        "known. Import the .keras file if its first layer is Resizing, or export the network without the resize, with "
        "a fixed input size; or say how pictures were resized before they came to this network:",
        CHOICES,
    )
    return Stated(resizing=Unclear(error))
