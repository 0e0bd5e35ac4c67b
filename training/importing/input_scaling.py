"""Finds whether an ONNX graph scales pixel values itself, so that they are not scaled a second time.

The nodes are followed from the input to the first one that is not arithmetic with a constant. Only a scale that brings
0..255 down to a few units counts: a graph with a mean and a std for 0..1 may still expect pixels / 255.
"""

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from training.importing.preprocessing import Preprocessing

_PASSING = ("Cast", "Identity", "Transpose", "Reshape")
_LARGEST_SCALE = 1 / 16
_MOST_CHANNELS = 3


def find_scaling(model: onnx.ModelProto, name: str) -> tuple[str, Preprocessing | None]:
    """Reads the scaling at the beginning of a graph.

    Args:
        model: the graph.
        name: of its input.

    Returns:
        (names of the operations that scale pixels, their rule where it is one); ("", their rule) where they normalise
        pixels from 0 to 1; ("", None) where none does either.
    """
    takers: dict[str, list[onnx.NodeProto]] = {}
    for node in model.graph.node:
        for tensor in node.input if node.op_type != "Shape" else ():
            takers.setdefault(tensor, []).append(node)
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    constants |= {
        node.output[0]: node.attribute[0].t
        for node in model.graph.node
        if node.op_type == "Constant" and node.attribute[0].HasField("t")
    }
    scale, offset, found = np.ones(1), np.zeros(1), []
    while len(taker := takers.get(name, [])) == 1:
        (node,) = taker
        if node.op_type not in _PASSING:
            value = _constant(node, name, constants)
            if value is None:
                break
            scale, offset = _applied(node.op_type, value, scale, offset)
            found.append(node.op_type)
        name = node.output[0]
    rule = Preprocessing(tuple((-offset / scale).tolist()), tuple((1 / scale).tolist())) if (scale > 0).all() else None
    if not found or np.abs(scale).max() > _LARGEST_SCALE:
        return "", rule if rule is not None and rule.fits_unit_range and "Sub" in found else None
    return f"{', '.join(found)} at the beginning of its graph", rule


def _constant(node: onnx.NodeProto, name: str, constants: dict[str, onnx.TensorProto]) -> NDArray[np.float64] | None:
    """The constant, one or one per channel, of a node that adds, subtracts, multiplies or divides; else None."""
    if node.op_type not in ("Mul", "Add", "Sub", "Div") or len(node.input) != 2:
        return None
    if node.op_type in ("Sub", "Div") and node.input[0] != name:
        return None
    other = node.input[1] if node.input[0] == name else node.input[0]
    if other not in constants:
        return None
    value = numpy_helper.to_array(constants[other])
    return value.astype(np.float64).reshape(-1) if 0 < value.size <= _MOST_CHANNELS else None


def _applied(
    kind: str, value: NDArray[np.float64], scale: NDArray[np.float64], offset: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    match kind:
        case "Mul":
            return scale * value, offset * value
        case "Div":
            return scale / value, offset / value
        case "Add":
            return scale + 0 * value, offset + value
        case _:
            return scale + 0 * value, offset - value
