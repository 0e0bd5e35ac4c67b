"""Refuses outputs whose values are sorted (TopK), so that a column of them belongs to no certain class.

TopK also pools maps and chooses parts of a network, so it is looked at what the network answers, too.
"""

import numpy as np
import onnx
from numpy.typing import NDArray

from training.errors import ImportRefusedError
from training.importing.onnx_graph import inferred
from training.importing.onnx_nodes import all_nodes
from training.importing.source import Source

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
_PICKING = ("Gather", "GatherElements", "GatherND")
_CERTAIN_COLUMNS = 5  # of so many, answers are in order by chance for one picture in 60


def check_not_sorted(source: Source, values: NDArray[np.generic]) -> None:
    """Checks that a network's answers are not always in order.

    Args:
        source: the network.
        values: its answers for some pictures, [N, columns].

    Raises:
        ImportRefusedError: they are, and its graph sorts.
    """
    columns = values.shape[1]
    nodes = [*source.graph.graph.node, *(node for function in source.graph.functions for node in function.node)]
    if columns < 2 or not any(node.op_type == "TopK" for node in all_nodes(nodes)):
        return
    steps = np.diff(values.astype(np.float64), axis=1)
    before = _before_sort(source.graph, source.output)
    is_sorted = (steps <= 0).all() or (steps >= 0).all()
    if not is_sorted or not steps.any() or (before is None and columns < _CERTAIN_COLUMNS):
        return
    named = f": --output {before}" if before and source.kind == "ONNX" and _has_columns(source.graph, before) else ""
    raise ImportRefusedError(
        f"{source.origin}: the values of its output {source.output!r} are sorted (TopK), so a column is no class; take "
        f"the tensor before TopK{named}"
    )


def _has_columns(model: onnx.ModelProto, name: str) -> bool:
    """Whether a tensor inside a graph is known to be [N, K]."""
    value = inferred(model, name)
    return value is not None and len(value.type.tensor_type.shape.dim) == 2


def _before_sort(model: onnx.ModelProto, output: str) -> str | None:
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
        elif node.op_type in _PASSING or _is_share(node, makers):
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


def _is_share(node: onnx.NodeProto, makers: dict[str, onnx.NodeProto]) -> bool:
    """Whether values are divided by their own sum."""
    total = makers.get(node.input[1]) if node.op_type == "Div" else None
    return total is not None and total.op_type == "ReduceSum" and total.input[0] == node.input[0]
