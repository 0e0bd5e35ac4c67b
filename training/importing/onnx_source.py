"""Reads ONNX files. Needs no TensorFlow: ONNX Runtime on the original file gives the answers to compare with."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from training.errors import ImportRefusedError
from training.files import reason
from training.importing.input_probe import probe_scaling
from training.importing.input_scaling import find_scaling
from training.importing.one_by_one import mixes_pictures
from training.importing.onnx_graph import NetworkInput, find_input, find_output, read_onnx, with_open_batch
from training.importing.onnx_input import prepare_input
from training.importing.sidecars import onnx_metadata
from training.importing.source import Answer, Source
from training.importing.stated import Stated
from training.importing.terms import LastOperation
from training.importing.zip_map import replace_zip_map

_SILENT = 4
_RESHAPING = ("Reshape", "Identity", "Cast", "Flatten", "Squeeze", "Unsqueeze")
_PASSING = (*_RESHAPING, "Clip", "Dropout", "QuantizeLinear", "DequantizeLinear")
_LAST: dict[str, LastOperation] = {
    "Softmax": "softmax",
    "LogSoftmax": "log-softmax",
    "Sigmoid": "sigmoid",
    "HardSigmoid": "sigmoid",
    "Tanh": "bounded",
    "Softsign": "bounded",
    "Erf": "bounded",
    "Relu": "positive",
    "Softplus": "positive",
}
_PRODUCTS = ("Gemm", "MatMul", "Conv", "MatMulInteger", "ConvInteger", "QLinearMatMul", "QLinearConv", "QGemm")


def open_onnx(path: Path, flags: Stated, sidecars: Sequence[Stated] = ()) -> Source:
    """Reads an ONNX file as a source.

    Args:
        path: of the file.
        flags: the facts from the command line.
        sidecars: the facts from files beside it, in order of priority.

    Raises:
        ImportRefusedError: it cannot be read or run, or is no image classifier.
    """
    model = read_onnx(path)
    layers = len(model.graph.node)
    zipped, are_numbers = replace_zip_map(model)
    besides = [*sidecars, zipped] if are_numbers else [zipped, *sidecars]
    stated = Stated.merged([flags, onnx_metadata.read(model), *besides])
    prepare_input(model, str(path))
    taken = find_input(model, str(path))
    if mixes_pictures(model):
        taken = _alone(taken, str(path))
    output = find_output(model, stated.output.value if stated.output else None, str(path))
    size = input_size(taken, stated, str(path))
    scaling, inside = probe_scaling(model, taken, size) or find_scaling(model, taken.name)
    return Source(
        origin=path,
        kind="ONNX",
        framework=f"ONNX Runtime {onnxruntime.__version__} on the original file",
        layers=layers,
        graph=model,
        taken=taken,
        output=output,
        last=last_operation(model, output),
        answer=_answer(model, path, taken, output, size),
        stated=stated,
        scales_inside=scaling,
        inside=inside,
    )


def _alone(taken: NetworkInput, origin: str) -> NetworkInput:
    """The input for one picture, of a graph whose answers depend on the other pictures of a batch."""
    if taken.batch not in (None, 1):
        raise ImportRefusedError(
            f"{origin}: it takes {taken.batch} pictures and quantizes by the range of all of them "
            "(DynamicQuantizeLinear), so its answer for one depends on the others; export it with an open batch"
        )
    return replace(taken, batch=1)


def input_size(taken: NetworkInput, stated: Stated, origin: str) -> tuple[int, int]:
    """The (height, width) of the input.

    Raises:
        ImportRefusedError: the graph leaves it open and it is not stated, or the two differ.
    """
    said = stated.size
    if taken.height is None or taken.width is None:
        if said is None:
            raise ImportRefusedError(
                f"{origin}: the graph leaves height and width open; say them: --size 224 or 48x192"
            )
        height, width = said.value
        return taken.height or height, taken.width or width
    if said is not None and said.value != (taken.height, taken.width):
        height, width = said.value
        is_flag = said.origin.startswith("--")
        way_out = "" if is_flag else f"; if it was exported for that size, say --size {taken.height}x{taken.width}"
        raise ImportRefusedError(
            f"{said.origin} says {height} x {width}; {origin} takes {taken.height} x {taken.width} and nothing else"
            f"{way_out}"
        )
    return taken.height, taken.width


def last_operation(model: onnx.ModelProto, output: str) -> LastOperation:
    """The operation that computes an output's values; operations that only reshape or convert them are skipped."""
    makers = {name: node for node in model.graph.node for name in node.output}
    name, is_clipped = output, False
    while (node := makers.get(name)) is not None:
        if node.op_type not in _PASSING:
            is_linear = _is_linear(node, makers) and not is_clipped  # ReLU6 is a Clip
            return "linear" if is_linear else _LAST.get(node.op_type, "other")
        is_clipped = is_clipped or node.op_type == "Clip"
        name = node.input[0]
    return "other"


def _is_linear(node: onnx.NodeProto, makers: Mapping[str, onnx.NodeProto]) -> bool:
    """Whether it is a dense layer or a convolution, with its bias."""
    if node.op_type == "Add":
        before = [makers[name] for name in node.input if name in makers]
        return any(maker.op_type in _PRODUCTS for maker in before)
    return node.op_type in _PRODUCTS


def _answer(model: onnx.ModelProto, path: Path, taken: NetworkInput, output: str, size: tuple[int, int]) -> Answer:
    runnable = model if taken.batch is not None else with_open_batch(model, taken, size)
    try:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = _SILENT
        session = onnxruntime.InferenceSession(
            runnable.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # ONNX Runtime's exceptions share no base class of their own
        raise ImportRefusedError(f"{path}: ONNX Runtime cannot load it: {reason(error)}") from error

    def answer(values: NDArray[np.float32]) -> NDArray[np.generic]:
        arranged = np.ascontiguousarray(values.transpose(0, 3, 1, 2) if taken.layout == "NCHW" else values)
        arranged = arranged.astype(taken.dtype)
        pieces = []
        for piece in batches(arranged, taken.batch):
            try:
                (given,) = session.run([output], {taken.name: piece})
            except Exception as error:  # as above
                raise ImportRefusedError(f"{path}: it does not run on {list(piece.shape)}: {reason(error)}") from error
            pieces.append(as_columns(given, len(piece), path, output))
        return np.concatenate(pieces)[: len(values)]

    return answer


def batches(values: NDArray[np.generic], batch: int | None, most: int | None = None) -> list[NDArray[np.generic]]:
    """Batches of the file's own size, the last one filled with the last picture; else of at most ``most``, or one."""
    size = batch or most
    if size is None:
        return [values]
    missing = -len(values) % batch if batch else 0
    filled = np.concatenate([values, np.repeat(values[-1:], missing, axis=0)]) if missing else values
    return [filled[start : start + size] for start in range(0, len(filled), size)]


def as_columns(values: NDArray[np.generic], rows: int, path: Path, output: str) -> NDArray[np.generic]:
    """Reshapes [N], [N, K], [N, K, 1, 1] or [N, 1, 1, K] to [N, K], and [K] or [] of a single picture to [1, K].

    Raises:
        ImportRefusedError: the values have other axes or are not floats, so they are not one value per class.
    """
    if values.dtype.kind in "iu" and values.dtype.itemsize == 1:
        raise ImportRefusedError(
            f"{path}: its output {output!r} is {values.dtype} and not float: it is quantized. Remove the last "
            "QuantizeLinear of the graph, or append a DequantizeLinear"
        )
    if values.dtype.kind != "f":
        raise ImportRefusedError(
            f"{path}: its output {output!r} is {values.dtype} and not float: one probability or logit for each class "
            "is needed. The number of the best class (ArgMax) is not enough; name another one with --output, or "
            "export the network without it"
        )
    if values.ndim <= 1 and rows == 1:
        return values.reshape(1, -1)
    if not values.ndim or len(values) != rows or sum(side != 1 for side in values.shape[1:]) > 1:
        raise ImportRefusedError(
            f"{path}: its output {output!r} is {list(values.shape)} and not [{rows}, K] for {rows} pictures: one value "
            "for each class is needed. A detector or a segmentation network is no classifier"
        )
    return values.reshape(rows, -1)
