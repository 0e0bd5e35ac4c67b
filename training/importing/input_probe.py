"""Finds what a graph does to pixels before its first convolution, by running that part on plain colours.

:mod:`training.importing.input_scaling` reads the nodes instead, and understands only arithmetic with constants. Here
any affine preparation shows its scale, offset and channel order on black, grey, white, red, green and blue.
"""

from collections.abc import Sequence

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from training.importing.onnx_graph import NetworkInput
from training.importing.preprocessing import ChannelOrder, Preprocessing

_LARGEST_SCALE = 1 / 16
"""A larger scale does not bring 0..255 down to a few units, so the graph expects pixels divided by 255."""
_LARGEST_UNIT_MEAN = 2.0
"""A mean that is subtracted from values of 0..1 is smaller than this."""
_LEAST_MEAN = 1e-3
"""Pixels of 0..255 have no mean between this and the largest of 0..1: it belongs to pixels divided by 255."""
_COLORS = np.array([[0, 0, 0], [51, 51, 51], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255]], np.uint8)
_SHOWN = 6
_SILENT = 4


def probe_scaling(
    model: onnx.ModelProto, taken: NetworkInput, size: tuple[int, int]
) -> tuple[str, Preprocessing | None] | None:
    """Runs the graph up to its first convolution.

    Args:
        model: the graph.
        taken: its input.
        size: (height, width) of the pictures, in pixels.

    Returns:
        (names of the operations that prepare pixels, their rule); ("", their rule) where they normalise pixels from 0
        to 1; ("", None) where pixels are not prepared. None where this cannot be found: there is no convolution, or
        the operations before it are not affine.
    """
    first = next((node for node in model.graph.node if node.op_type == "Conv"), None)
    front = _nodes_before(model, first.input[0]) if first is not None else None
    if first is None or front is None:
        return None
    if first.input[0] == taken.name:
        return "", None
    rule = _affine(_run(model, front, first.input[0], taken, size))
    if rule is None:
        return None
    scale, offset, order = rule
    mean = -offset / scale
    if mean.max() <= _LARGEST_UNIT_MEAN and (scale.max() > _LARGEST_SCALE or np.abs(mean).max() > _LEAST_MEAN):
        # Pictures have no mean far below 0. A BatchNormalization, also as Mul and Add, has learned its own numbers.
        inside = Preprocessing(tuple(mean.tolist()), tuple((1 / scale).tolist()))
        subtracts = any(node.op_type == "Sub" for node in front)
        return "", inside if inside.fits_unit_range and subtracts and taken.dtype != np.uint8 else None
    kinds = list(dict.fromkeys(node.op_type for node in front))
    words = f"{', '.join(kinds[:_SHOWN])} at the beginning of its graph"
    return words, Preprocessing(tuple(mean.tolist()), tuple((1 / scale).tolist()), order)


def _nodes_before(model: onnx.ModelProto, name: str) -> list[onnx.NodeProto] | None:
    """The nodes that compute a tensor, in their order; None where one of them contains a graph, such as If."""
    needed, front = {name}, []
    for node in reversed(model.graph.node):
        if needed.intersection(node.output):
            if any(attribute.HasField("g") for attribute in node.attribute):
                return None
            front.append(node)
            needed.update(node.input)
    return front[::-1]


def _run(
    model: onnx.ModelProto, front: Sequence[onnx.NodeProto], output: str, taken: NetworkInput, size: tuple[int, int]
) -> NDArray[np.generic] | None:
    part = onnx.ModelProto(ir_version=model.ir_version)
    part.opset_import.extend(model.opset_import)
    part.functions.extend(model.functions)
    part.graph.name = "front"
    part.graph.node.extend(front)
    part.graph.input.extend(model.graph.input)
    part.graph.output.append(onnx.ValueInfoProto(name=output))
    names = {name for node in front for name in node.input}
    part.graph.initializer.extend(tensor for tensor in model.graph.initializer if tensor.name in names)
    colors = _COLORS if taken.channels == 3 else _COLORS[:3, :1]
    images = np.broadcast_to(colors[:, np.newaxis, np.newaxis], (len(colors), *size, taken.channels))
    arranged = (images.transpose(0, 3, 1, 2) if taken.layout == "NCHW" else images).astype(taken.dtype)
    try:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = _SILENT
        session = onnxruntime.InferenceSession(part.SerializeToString(), options, providers=["CPUExecutionProvider"])
        batch = taken.batch or 1
        answers = [session.run([output], {taken.name: np.repeat(image[np.newaxis], batch, 0)})[0] for image in arranged]
    except Exception:  # noqa: BLE001  ONNX Runtime's exceptions share no base class; the network itself is run later
        return None
    if any(len(answer) != batch for answer in answers):
        return None
    values: NDArray[np.generic] = np.concatenate([answer[:1] for answer in answers])
    return values


def _affine(
    answers: NDArray[np.generic] | None,
) -> tuple[NDArray[np.float64], NDArray[np.float64], ChannelOrder] | None:
    """(scale, offset, order) from the results for the six colours, [6, 3, H, W], or three greys, [3, 1, H, W]."""
    if answers is None or answers.ndim != 4 or answers.shape[:2] not in ((6, 3), (3, 1)):
        return None
    values = answers[:, :, answers.shape[2] // 2, answers.shape[3] // 2].astype(np.float64)
    offset, scale, rounding = values[0], (values[2] - values[0]) / 255, 1e-3 * np.abs(values).max()
    if not (scale > 0).all() or not np.allclose(values[1], offset + 51 * scale, rtol=1e-3, atol=rounding):
        return None
    if values.shape[1] == 1:
        return scale, offset, "RGB"
    orders: tuple[ChannelOrder, ...] = ("RGB", "BGR")
    for order in orders:
        places = np.eye(3) if order == "RGB" else np.eye(3)[::-1]
        if np.allclose(values[3:], offset + 255 * scale * places, rtol=1e-3, atol=rounding):
            return scale, offset, order
    return None
