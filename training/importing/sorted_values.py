"""Finds whether the values of a graph's output are sorted, so that a column of them belongs to no certain class."""

import onnx

_PASSING: tuple[str, ...] = (
    "Reshape",
    "Identity",
    "Cast",
    "Flatten",
    "Squeeze",
    "Unsqueeze",
    "Clip",
    "Dropout",
    "Transpose",
    "Slice",
)
_PASSING += ("Softmax", "LogSoftmax", "Sigmoid", "HardSigmoid", "Tanh", "Relu", "Exp", "Log", "Neg", "Sqrt", "Split")
_PASSING += ("QuantizeLinear", "DequantizeLinear")
_WITH_CONSTANT = ("Mul", "Add", "Sub", "Div", "Pow")
_PICKING = ("GatherElements", "GatherND")


def before_sort(model: onnx.ModelProto, output: str) -> str | None:
    """The tensor that was sorted to compute an output.

    Args:
        model: the graph.
        output: the name of its output.

    Returns:
        The name; None where no sort (TopK) is found among the operations that pass values on to the output.
    """
    makers = {name: node for node in model.graph.node for name in node.output}
    name = output
    while (node := makers.get(name)) is not None:
        if node.op_type == "TopK":
            return node.input[0]
        if node.op_type in _PICKING and _is_sorted(node.input[1], makers):
            return node.input[0]
        variable = [taken for taken in node.input if taken in makers and makers[taken].op_type != "Constant"]
        if node.op_type in _WITH_CONSTANT and len(variable) == 1:
            name = variable[0]
        elif node.op_type in _PASSING:
            name = node.input[0]
        else:
            return None
    return None


def _is_sorted(name: str, makers: dict[str, onnx.NodeProto]) -> bool:
    """Whether a tensor holds the indices that a TopK gives."""
    while (node := makers.get(name)) is not None:
        if node.op_type == "TopK":
            return True
        if node.op_type not in _PASSING:
            return False
        name = node.input[0]
    return False
