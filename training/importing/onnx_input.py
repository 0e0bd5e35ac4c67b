"""Brings the inputs of a foreign ONNX graph into the form that the import knows: one input with four axes.

::

    inputs that no node takes: removed        [N, H, W], grey pictures: [N, H, W, 1], and a Reshape in the graph
"""

import numpy as np
import onnx
from onnx import helper, numpy_helper

from training.errors import ImportRefusedError
from training.importing.onnx_graph import shown
from training.importing.onnx_nodes import rename_inputs, taken_by

_CHANNELS = (1, 3)
_GREY_AXES = 3


def prepare_input(model: onnx.ModelProto, origin: str) -> None:
    """Changes the inputs of a graph, in place; the input keeps its name.

    Args:
        model: of the graph.
        origin: for messages.

    Raises:
        ImportRefusedError: it takes one picture without a batch axis.
    """
    taken = {name for node in model.graph.node for name in taken_by(node)} | {
        value.name for value in model.graph.output
    }
    used = [value for value in model.graph.input if value.name in taken]
    if used and len(used) < len(model.graph.input):
        del model.graph.input[:]
        model.graph.input.extend(used)
    if len(model.graph.input) != 1:
        return
    (value,) = model.graph.input
    dims = value.type.tensor_type.shape.dim
    if len(dims) != _GREY_AXES:
        return
    sides = [dim.dim_value if dim.dim_value > 0 else None for dim in dims]
    if sides[0] != 3 and sides[2] not in _CHANNELS and not _is_sequence(model.graph, value.name):
        _add_channel_axis(model.graph, value)
    elif sides[0] in _CHANNELS or sides[2] in _CHANNELS:
        axes = ", ".join(["N", *(dim.dim_param or str(dim.dim_value or "?") for dim in dims)])
        raise ImportRefusedError(
            f"{origin}: its input {value.name!r} is {shown(value)}: one picture without a batch axis; export it with "
            f"one, which comes first: [{axes}]"
        )


def _is_sequence(graph: onnx.GraphProto, name: str) -> bool:
    """Whether a convolution over one axis takes a tensor, which is then no picture."""
    ranks = {tensor.name: len(tensor.dims) for tensor in graph.initializer}
    return any(
        node.op_type == "Conv" and node.input[0] == name and ranks.get(node.input[1]) == _GREY_AXES
        for node in graph.node
    )


def _add_channel_axis(graph: onnx.GraphProto, value: onnx.ValueInfoProto) -> None:
    """Makes [N, H, W, 1] of an input [N, H, W]."""
    planes, shape = f"{value.name}/planes", f"{value.name}/without-channels"
    for node in graph.node:
        rename_inputs(node, value.name, planes)
    value.type.tensor_type.shape.dim.add().dim_value = 1
    graph.initializer.append(numpy_helper.from_array(np.array([0, 0, -1], np.int64), shape))  # 0 copies an axis
    graph.node.insert(0, helper.make_node("Reshape", [value.name, shape], [planes], planes))
