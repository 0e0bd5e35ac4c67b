"""Converts a TensorFlow function to an ONNX graph, after changing the parts that the converter cannot handle.

::

    function -> weights frozen in -> nested functions inlined -> captured constants, Erfc, scalars -> tf2onnx -> ONNX

Keras compiles grouped convolutions (ConvNeXt) with XLA, in separate functions that TensorFlow does not inline. The
constants of a Normalization layer (EfficientNet) are captured tensors, which tf2onnx treats as inputs. ONNX has no
Erfc, which the exact GELU uses. The optimizer of tf2onnx that removes transposes fails on scalars (MobileNetV3).
"""

import logging
from typing import Any

import onnx
import tensorflow as tf
import tf2onnx
from tensorflow.python.eager.wrap_function import VariableHolder, WrappedFunction
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from contract import OPSET
from training.errors import ImportRefusedError
from training.files import reason

tf.get_logger().setLevel("ERROR")  # TensorFlow names its own calls deprecated on every import
# A failed optimisation is no error: later the graph's answers are compared with its source.
logging.getLogger("tf2onnx.optimizer").setLevel(logging.CRITICAL)

_CALLS = ("PartitionedCall", "StatefulPartitionedCall")
_KEEPS_APART = ("_XlaMustCompile", "_noinline")
_INLINED = "_inlined"
_KERAS_FILES = (".keras", ".h5", ".hdf5")
_LISTS = {"TensorListReserve", "TensorListFromTensor"}  # by which TensorFlow loops over steps
_REPLACED = {"Erfc": "Erf", "Expm1": "Exp"}


def to_onnx(function: Any, origin: str) -> onnx.ModelProto:
    """Converts a concrete function.

    Args:
        function: a ``tf.ConcreteFunction`` of one tensor.
        origin: for messages.

    Raises:
        ImportRefusedError: the converter cannot convert it; the message says why.
    """
    function = _without_unused_writes(function)
    captured = {
        inside.op.name: outside.numpy()
        for outside, inside in function.graph.captures
        if outside.dtype not in (tf.resource, tf.variant)
    }
    try:
        frozen = convert_variables_to_constants_v2(function)
    except ValueError as error:  # the function assigns to a variable, such as the seed of a random layer
        remedy = "save the network without them"
        if not origin.endswith(_KERAS_FILES):
            remedy = "import the .keras file, or export it without them"
        kind = "of augmentation (RandomHue) that draw numbers"
        if "AssignNewValue" in str(error):
            kind = "BatchNormalization that learn (training=True)"
        raise ImportRefusedError(
            f"{origin}: TensorFlow cannot turn its variables into constants, as with layers {kind} when the network "
            f"answers: {remedy} ({reason(error)})"
        ) from error
    graph = frozen.graph.as_graph_def()
    taken, given = frozen.inputs[0].name, [tensor.name for tensor in frozen.outputs]
    if any(attribute.type == tf.bfloat16.as_datatype_enum for node in graph.node for attribute in node.attr.values()):
        raise ImportRefusedError(
            f"{origin}: it computes in bfloat16 (mixed_bfloat16), which ONNX Runtime has no operations for; build it "
            "with the policy float32, load its weights and save it again"
        )
    _hold(graph, captured)
    try:
        if any(node.op in _CALLS for node in graph.node):
            graph = _inlined(graph, taken, given)
        _replace_missing(graph)
        _widen_scalars(graph)
        model: onnx.ModelProto
        model, _ = tf2onnx.convert.from_graph_def(graph, input_names=[taken], output_names=given, opset=OPSET)
    except Exception as error:  # the converter raises whatever its handlers do
        raise ImportRefusedError(f"{origin}: tf2onnx cannot convert it: {reason(error)}") from error
    unknown = sorted({node.op_type for node in model.graph.node if not _is_known(node, model)})
    if unknown:
        remedy = "; recurrent layers (LSTM, GRU) are converted with unroll=True" if _LISTS.intersection(unknown) else ""
        raise ImportRefusedError(f"{origin}: ONNX has no operation for {', '.join(unknown)[:300]}{remedy}")
    return model


def _without_unused_writes(function: Any) -> Any:
    """The same function without writes to variables that its results do not depend on.

    Some layers of augmentation of Keras (RandomHue, RandomGrayscale) draw a number and count it, also where they then
    leave the picture as it is. A function whose results depend on such a variable is returned unchanged.
    """
    graph = function.graph
    writes = [operation for operation in graph.get_operations() if operation.type.startswith("Assign")]
    if not writes:
        return function
    given = [tensor.op.inputs[0] if tensor.op.type == "Identity" else tensor for tensor in function.outputs]
    taken = function.inputs[: len(function.inputs) - len(graph.captures)]
    pruned = WrappedFunction(graph, VariableHolder()).prune(taken, given)
    written = {id(outside) for outside, inside in graph.captures if any(write.inputs[0] is inside for write in writes)}
    depends = any(inside.consumers() for outside, inside in pruned.graph.captures if id(outside) in written)
    return function if depends else pruned


def _hold(graph: tf.compat.v1.GraphDef, captured: dict[str, Any]) -> None:
    """Turns captured tensors, which are placeholders in the graph, into constants."""
    for node in graph.node:
        if node.op == "Placeholder" and node.name in captured:
            value = tf.make_tensor_proto(captured[node.name])
            node.Clear()
            node.name, node.op = node.name, "Const"
            node.attr["dtype"].type = value.dtype
            node.attr["value"].tensor.CopyFrom(value)


def _inlined(graph: tf.compat.v1.GraphDef, taken: str, given: list[str]) -> tf.compat.v1.GraphDef:
    """Lets TensorFlow inline all functions, also those marked not to be; they get new names, as the old are taken."""
    names = {function.signature.name for function in graph.library.function}
    for function in graph.library.function:
        function.signature.name += _INLINED
        for key in _KEEPS_APART:
            function.attr.pop(key, None)
    for node in (*graph.node, *(node for function in graph.library.function for node in function.node_def)):
        for key in _KEEPS_APART:
            node.attr.pop(key, None)
        for value in node.attr.values():
            if value.func.name in names:
                value.func.name += _INLINED
    wrapped = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(graph, name=""), [])
    pruned = wrapped.prune(
        wrapped.graph.get_tensor_by_name(taken), [wrapped.graph.get_tensor_by_name(name) for name in given]
    )
    return convert_variables_to_constants_v2(pruned).graph.as_graph_def()


def _replace_missing(graph: tf.compat.v1.GraphDef) -> None:
    """erfc(x) = 1 - erf(x), and expm1(x) = exp(x) - 1."""
    for node in [node for node in graph.node if node.op in _REPLACED]:
        kind, other = node.attr["T"].type, _REPLACED[node.op]
        graph.node.add(name=f"{node.name}/{other}", op=other, input=node.input).attr["T"].type = kind
        one = graph.node.add(name=f"{node.name}/one", op="Const")
        one.attr["dtype"].type = kind
        one.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(1.0, dtype=kind, shape=[]))
        node.input[:] = [one.name, f"{node.name}/{other}"] if node.op == "Erfc" else [f"{node.name}/{other}", one.name]
        node.op = "Sub"


def _widen_scalars(graph: tf.compat.v1.GraphDef) -> None:
    """X + 3 becomes x + [3], which is the same for any tensor that has an axis."""
    takers: dict[str, set[str]] = {}
    for node in graph.node:
        for name in node.input:
            takers.setdefault(name.partition(":")[0], set()).add(node.op)
    for node in graph.node:
        value = node.attr["value"].tensor if node.op == "Const" else None
        if value is not None and not value.tensor_shape.dim and takers.get(node.name) == {"AddV2"}:
            number = tf.make_ndarray(value)
            if number.dtype.kind == "f" and _adds_to_tensors(graph, node.name):
                value.CopyFrom(tf.make_tensor_proto(number.reshape(1)))


def _adds_to_tensors(graph: tf.compat.v1.GraphDef, name: str) -> bool:
    """Whether a constant is only added to tensors that are not constants."""
    constants = {node.name for node in graph.node if node.op == "Const"}
    adders = [node for node in graph.node if name in node.input]
    return all(any(given not in constants for given in node.input) for node in adders)


def _is_known(node: onnx.NodeProto, model: onnx.ModelProto) -> bool:
    if node.domain not in ("", "ai.onnx"):
        return any(entry.domain == node.domain for entry in model.opset_import)
    return onnx.defs.has(node.op_type, node.domain)
