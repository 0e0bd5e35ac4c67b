"""Wraps a graph with a fixed batch of one picture in a loop, where the batch size cannot be made variable.

Some exporters write the batch size 1 into the middle of a graph (the class token of a vision transformer, the windows
of a Swin), where no rule finds it. ONNX's Scan operation runs such a graph once for each picture of a batch, and also
a graph that quantizes by the range of a whole batch (DynamicQuantizeLinear), where the answer for a picture would
depend on the others.
"""

import numpy as np
import onnx
from onnx import helper, numpy_helper

from training.importing.onnx_graph import NetworkInput
from training.importing.onnx_nodes import all_nodes

_LEAST_OPSET = 9  # before it, Scan has an additional batch axis
_BODY = "one/"
_BY_RANGE = ("DynamicQuantizeLinear", "DynamicQuantizeMatMul", "DynamicQuantizeLSTM")


def can_scan(model: onnx.ModelProto, taken: NetworkInput) -> bool:
    """Whether a graph takes exactly one picture, and its opset has the needed Scan."""
    opset = max((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=0)
    return taken.batch == 1 and opset >= _LEAST_OPSET


def mixes_pictures(model: onnx.ModelProto) -> bool:
    """Whether a graph quantizes by the range of a whole batch, so that answers depend on the other pictures of it."""
    return any(node.op_type in _BY_RANGE for node in all_nodes(model.graph.node))


def one_by_one(model: onnx.ModelProto, taken: NetworkInput, output: str, size: tuple[int, int]) -> onnx.ModelProto:
    """Puts a graph into a loop over the pictures of a batch.

    Args:
        model: takes one picture.
        taken: its input.
        output: the name of the output that classifies.
        size: (height, width) of the pictures, in pixels.

    Returns:
        A graph that takes any batch, with the same names of input and output.
    """
    height, width = size
    sides = [taken.channels, height, width] if taken.layout == "NCHW" else [height, width, taken.channels]
    kind = helper.np_dtype_to_tensor_dtype(taken.dtype)
    inner = onnx.compose.add_prefix(model, _BODY)
    body = onnx.GraphProto(name="one")
    body.input.append(helper.make_tensor_value_info(f"{_BODY}picture", kind, sides))
    body.initializer.extend(inner.graph.initializer)
    body.sparse_initializer.extend(inner.graph.sparse_initializer)
    body.initializer.append(numpy_helper.from_array(np.array([1, *sides], np.int64), f"{_BODY}batch-of-one"))
    body.node.append(
        helper.make_node("Reshape", [f"{_BODY}picture", f"{_BODY}batch-of-one"], [_BODY + taken.name], f"{_BODY}batch")
    )
    body.node.extend(inner.graph.node)
    body.output.extend(value for value in inner.graph.output if value.name == _BODY + output)

    graph = onnx.GraphProto(name="all")
    graph.input.append(helper.make_tensor_value_info(taken.name, kind, ["N", *sides]))
    graph.node.append(helper.make_node("Scan", [taken.name], [output], "each picture", num_scan_inputs=1, body=body))
    answer = onnx.ValueInfoProto()
    answer.CopyFrom(next(value for value in model.graph.output if value.name == output))
    dims = answer.type.tensor_type.shape.dim
    shape = [dim.dim_value or dim.dim_param or None for dim in dims]
    graph.output.append(helper.make_tensor_value_info(output, answer.type.tensor_type.elem_type, ["N", *shape]))
    whole = helper.make_model(graph, opset_imports=list(inner.opset_import), functions=list(inner.functions))
    whole.ir_version = model.ir_version
    return whole
