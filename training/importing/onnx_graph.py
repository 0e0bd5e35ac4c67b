"""Reads a foreign ONNX file without running it, and finds its input and its output.

::

    bytes -> parse -> external data, only from below the file's folder -> input: layout, type, size -> output: [N, K]
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto, external_data_helper

from training.errors import ImportRefusedError
from training.files import leads_out, read_file
from training.importing.onnx_layout import find_channels
from training.importing.terms import Layout

MOST_FILE_BYTES: Final = (2 << 30) - (64 << 20)  # a protobuf message ends at 2 GiB
_LEAST_IR_VERSION: Final = 8  # from 4 on, weights need not be listed among the inputs
_MOST_IR_VERSION: Final = 10  # newer ones add types that classifiers do not use; onnx writes 14, ONNX Runtime reads 13
_MOST_DIGITS: Final = 20
_LEAST_OPSET: Final = 7  # from 7 on, Add and Mul broadcast
_TYPES: Final[dict[int, np.dtype[Any]]] = {
    TensorProto.FLOAT: np.dtype(np.float32),
    TensorProto.FLOAT16: np.dtype(np.float16),
    TensorProto.DOUBLE: np.dtype(np.float64),
    TensorProto.UINT8: np.dtype(np.uint8),
}
_CHANNELS: Final = (1, 3)


@dataclass(frozen=True, slots=True)
class NetworkInput:
    """The input of a foreign graph.

    Attributes:
        name: of the tensor.
        dtype: of its values: float16, float32, float64 or uint8.
        layout: of its axes.
        height: in pixels; None where the graph leaves it open.
        width: in pixels; None where the graph leaves it open.
        channels: 1 or 3.
        batch: a fixed batch size; None where any is possible.
    """

    name: str
    dtype: np.dtype[Any]
    layout: Layout
    height: int | None
    width: int | None
    channels: int
    batch: int | None


def read_onnx(path: Path) -> onnx.ModelProto:
    """Reads a file and its external data.

    Raises:
        ImportRefusedError: it cannot be read, is no ONNX file, is too large or too old, or names data outside its
            folder.
    """
    try:
        if path.stat().st_size > MOST_FILE_BYTES:
            raise ImportRefusedError(f"{path} has {path.stat().st_size} bytes; at most {MOST_FILE_BYTES} can be read")
        model = onnx.ModelProto.FromString(read_file(path, MOST_FILE_BYTES))
    except OSError as error:
        raise ImportRefusedError(f"{path} cannot be read: {error.strerror}") from error
    except DecodeError:
        raise ImportRefusedError(f"{path} is not an ONNX file, or a damaged one") from None
    if not model.graph.node or not model.graph.input:
        raise ImportRefusedError(f"{path} is not an ONNX file with a graph in it, or a damaged one")
    _load_external_data(model, path)
    opset = max((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=0)
    if opset < _LEAST_OPSET:
        raise ImportRefusedError(
            f"{path} is of opset {opset}; at least {_LEAST_OPSET} is needed: "
            "convert it with onnx.version_converter.convert_version(model, 13)"
        )
    model.ir_version = min(max(model.ir_version, _LEAST_IR_VERSION), _MOST_IR_VERSION)
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    return model


def find_input(model: onnx.ModelProto, origin: str) -> NetworkInput:
    """Finds the input of the graph.

    Raises:
        ImportRefusedError: the graph does not take one batch of pictures.
    """
    inputs = model.graph.input
    if len(inputs) != 1:
        names = ", ".join(value.name for value in inputs) or "none"
        raise ImportRefusedError(
            f"{origin}: an image classifier takes one input; this graph has {len(inputs)}: {names}. One that is always "
            "the same can become a constant: model.graph.initializer.append(onnx.numpy_helper.from_array(value, name))"
        )
    (value,) = inputs
    kind = value.type.tensor_type
    dims = [dim.dim_value if dim.dim_value > 0 else None for dim in kind.shape.dim]  # Paddle writes -1 for open ones
    said = f"{origin}: its input {value.name!r} is {shown(value)}"
    if kind.elem_type not in _TYPES:
        raise ImportRefusedError(f"{said}; float32, float16 or uint8 is needed")
    if len(dims) != 4:
        raise ImportRefusedError(
            f"{said}; pictures, [N, C, H, W], [N, H, W, C] or, if grey, [N, H, W], are needed: it is no image "
            "classifier"
        )
    found = _declared(dims) or find_channels(model, value.name)
    if found is None:
        raise ImportRefusedError(
            f"{said}; the axis of the channels is not clear: export it with a fixed number of channels, 1 or 3"
        )
    layout, channels = found
    if channels not in _CHANNELS:
        raise ImportRefusedError(f"{said}; it takes {channels} channels, and pictures have 1 or 3")
    height, width = dims[2:] if layout == "NCHW" else dims[1:3]
    return NetworkInput(value.name, _TYPES[kind.elem_type], layout, height, width, channels, dims[0])


def _declared(dims: Sequence[int | None]) -> tuple[Layout, int] | None:
    """(layout, channels) from a shape of four axes, where exactly one possible axis has 1 or 3 channels."""
    first, last = dims[1], dims[3]
    if (first in _CHANNELS) == (last in _CHANNELS):
        return None
    return ("NCHW", first or 0) if first in _CHANNELS else ("NHWC", last or 0)


def find_output(model: onnx.ModelProto, wanted: str | None, origin: str) -> str:
    """Chooses the output that classifies.

    Args:
        model: the graph.
        wanted: its name, or that of a tensor inside the graph, which becomes an output; None where the graph has
            only one.
        origin: for messages.

    Raises:
        ImportRefusedError: there are several and none is chosen, none has the name, or it is no tensor.
    """
    if wanted is not None:
        _give(model, wanted)
    outputs = {value.name: shown(value) for value in model.graph.output}
    listed = ", ".join(f"{name} {shape}" for name, shape in outputs.items())
    if wanted is not None:
        if wanted not in outputs:
            raise ImportRefusedError(f"--output {wanted}: {origin} has no such output; it has {listed}")
    elif len(outputs) != 1:
        raise ImportRefusedError(
            f"{origin}: the graph has {len(outputs)} outputs ({listed}); say which one classifies: --output NAME"
        )
    chosen = next(value for value in model.graph.output if wanted in (None, value.name))
    if not _may_be_tensor(chosen):
        raise ImportRefusedError(
            f"{origin}: its output {chosen.name!r} is a {_kind(chosen)} and no tensor: one value for each class, "
            "[N, K], is needed; name the tensor that it is made of: --output NAME"
        )
    return chosen.name


def _give(model: onnx.ModelProto, name: str) -> None:
    """Makes a tensor inside a graph one of its outputs."""
    is_inside = any(name in node.output for node in model.graph.node)
    if not name or not is_inside or any(value.name == name for value in model.graph.output):
        return
    if (value := inferred(model, name)) is not None:
        model.graph.output.append(value)


def inferred(model: onnx.ModelProto, name: str) -> onnx.ValueInfoProto | None:
    """Type and shape of a tensor inside a graph; None where they cannot be inferred."""
    try:
        known = onnx.shape_inference.infer_shapes(model).graph.value_info
    except onnx.shape_inference.InferenceError:
        return None
    return next((value for value in known if value.name == name), None)


def with_open_batch(model: onnx.ModelProto, taken: NetworkInput, size: tuple[int, int]) -> onnx.ModelProto:
    """A copy that takes any batch of pictures of one size.

    Args:
        model: the graph.
        taken: its input.
        size: (height, width) of the pictures, in pixels.
    """
    opened = onnx.ModelProto()
    opened.CopyFrom(model)
    del opened.graph.value_info[:]  # intermediate shapes were written for the old batch; they are inferred again
    height, width = size
    sides = [taken.channels, height, width] if taken.layout == "NCHW" else [height, width, taken.channels]
    dims = opened.graph.input[0].type.tensor_type.shape.dim
    dims[0].dim_param = "N"
    for dim, side in zip(dims[1:], sides, strict=True):
        dim.dim_value = side
    for value in opened.graph.output:
        if value.type.tensor_type.shape.dim:
            value.type.tensor_type.shape.dim[0].dim_param = "N"
    if taken.batch is not None:
        _open_reshapes(opened.graph, taken.batch)
    return opened


def _open_reshapes(graph: onnx.GraphProto, batch: int) -> None:
    """Changes each Reshape with a fixed batch size so that it takes any: [1, 512] becomes [-1, 512]."""
    constants = {node.output[0]: node for node in graph.node if node.op_type == "Constant"}
    weights = {tensor.name: tensor for tensor in graph.initializer}
    for index, node in enumerate(node for node in graph.node if node.op_type == "Reshape" and len(node.input) > 1):
        name = node.input[1]
        if name in weights:
            shape = onnx.numpy_helper.to_array(weights[name])
        elif name in constants and constants[name].attribute[0].HasField("t"):
            shape = onnx.numpy_helper.to_array(constants[name].attribute[0].t)
        else:
            continue
        if shape.size < 2 or shape[0] != batch:
            continue
        opened = shape.copy()
        opened[0] = 0 if -1 in shape else -1  # 0 copies the axis, -1 is computed from the other axes
        node.input[1] = f"{name}/open-{index}"
        graph.initializer.append(onnx.numpy_helper.from_array(opened, node.input[1]))
        if name in weights and not any(name in other.input for other in graph.node):
            graph.initializer.remove(weights[name])


def _load_external_data(model: onnx.ModelProto, path: Path) -> None:
    folder, total = path.parent.resolve(), path.stat().st_size
    for tensor in external_data_helper._get_all_tensors(model):  # noqa: SLF001  there is no public walk over tensors
        if not external_data_helper.uses_external_data(tensor):
            continue
        location = next((entry.value for entry in tensor.external_data if entry.key == "location"), "")
        place = folder / location
        outside = PurePosixPath(location).is_absolute() or leads_out(place, folder)
        if not location or outside or place.is_symlink() or (place.exists() and not place.is_file()):
            raise ImportRefusedError(
                f"{path}: the data of tensor {tensor.name[:80]!r} is at {location[:120]!r}; only plain files below "
                "the folder of the model are read"
            )
        total += _external_bytes(tensor, place)
        if total > MOST_FILE_BYTES:
            raise ImportRefusedError(
                f"{path}: it has more than {MOST_FILE_BYTES} bytes with its external data, and no more can be read"
            )
    try:
        external_data_helper.load_external_data_for_model(model, str(folder))
    except (OSError, ValueError, onnx.checker.ValidationError) as error:
        raise ImportRefusedError(f"{path}: its external data cannot be read: {error}") from error


def _external_bytes(tensor: TensorProto, place: Path) -> int:
    """The external bytes of one tensor: its stated length, or else the size of the whole file."""
    said = next((entry.value for entry in tensor.external_data if entry.key == "length"), "")
    if said.isdecimal():
        return int(said) if len(said) < _MOST_DIGITS else MOST_FILE_BYTES + 1
    return place.stat().st_size if place.is_file() else 0


def shown(value: onnx.ValueInfoProto) -> str:
    """Type and shape of a tensor, as text."""
    if not _may_be_tensor(value):
        return _kind(value)
    kind = value.type.tensor_type
    sides = [dim.dim_param or (str(dim.dim_value) if dim.dim_value else "?") for dim in kind.shape.dim]
    return f"{TensorProto.DataType.Name(kind.elem_type).lower()} [{', '.join(sides)}]"


def _may_be_tensor(value: onnx.ValueInfoProto) -> bool:
    return value.type.WhichOneof("value") in (None, "tensor_type")


def _kind(value: onnx.ValueInfoProto) -> str:
    return (value.type.WhichOneof("value") or "").removesuffix("_type")
