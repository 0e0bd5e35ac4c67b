"""Finds the axis of an ONNX graph's input that holds the channels, where the declared shape does not show it.

Exporters of Hugging Face leave all four axes open. ONNX's convolution is defined on [N, C, H, W], so the first one
that the input reaches shows the axis and the number of channels: its weights are [M, C / group, ...].
"""

import onnx
from onnx import helper

from training.importing.terms import Layout

_KEEPS_AXES: tuple[str, ...] = (
    "Cast",
    "Identity",
    "Mul",
    "Add",
    "Sub",
    "Div",
    "Clip",
    "Pad",
    "Resize",
    "DequantizeLinear",
    "Dropout",
)
_KEEPS_AXES += ("QuantizeLinear", "BatchNormalization", "InstanceNormalization", "Neg")
_MOST_STEPS = 64


def find_channels(model: onnx.ModelProto, name: str) -> tuple[Layout, int] | None:
    """Follows the input to the first convolution.

    Args:
        model: the graph.
        name: of its input.

    Returns:
        The layout and the number of channels; None where they cannot be found.
    """
    shapes = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    shapes |= {
        node.output[0]: tuple(node.attribute[0].t.dims)
        for node in model.graph.node
        if node.op_type == "Constant" and node.attribute[0].HasField("t")
    }
    shapes |= _kept_shapes(model, shapes)
    axes = [0, 1, 2, 3]  # the input's axes, in the order of the current tensor
    for _ in range(_MOST_STEPS):
        takers = [node for node in model.graph.node if name in node.input and node.op_type != "Shape"]
        if len(takers) != 1:
            return None
        (node,) = takers
        attributes = {item.name: helper.get_attribute_value(item) for item in node.attribute}
        if node.op_type == "Conv":
            weights = shapes.get(node.input[1], ())
            if len(weights) != len(axes):
                return None
            return _told(axes, weights[1] * attributes.get("group", 1))
        if node.op_type == "Transpose" and sorted(attributes.get("perm", [])) == sorted(axes):
            axes = [axes[place] for place in attributes["perm"]]
        elif node.op_type not in _KEEPS_AXES:
            return None
        name = node.output[0]
    return None


def _told(axes: list[int], channels: int) -> tuple[Layout, int] | None:
    layouts: dict[tuple[int, ...], Layout] = {(0, 1, 2, 3): "NCHW", (0, 3, 1, 2): "NHWC"}
    layout = layouts.get(tuple(axes))
    return (layout, channels) if layout else None


def _kept_shapes(model: onnx.ModelProto, shapes: dict[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    """The shapes of weights that are stored in fewer bits, and converted to float before use."""
    return {
        node.output[0]: shapes[node.input[0]]
        for node in model.graph.node
        if node.op_type in ("DequantizeLinear", "Cast", "Identity") and node.input[0] in shapes
    }
