"""Makes small ONNX files as other exporters write them, for tests and benchmarks of ``convoy import``."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import DTypeLike
from onnx import TensorProto, helper, numpy_helper

CLASSES = 5
_TYPES = {"float32": TensorProto.FLOAT, "float16": TensorProto.FLOAT16, "uint8": TensorProto.UINT8}


def write_network(
    path: Path,
    *,
    layout: str = "NCHW",
    dtype: DTypeLike = np.float32,
    batch: int | str = "N",
    sides: tuple[int | str, int | str] = (16, 16),
    head: str = "logits",
    classes: int = CLASSES,
    opset: int = 13,
    metadata: Mapping[str, str] | None = None,
    front: Sequence[onnx.NodeProto] = (),
    constants: Mapping[str, np.ndarray] | None = None,
    outputs: Sequence[str] = (),
    tail: Sequence[onnx.NodeProto] = (),
    answers: tuple[int, Sequence[int | str]] | None = None,
) -> Path:
    """Writes a convolution, global pooling and a dense layer with random weights; all pixels influence the answer.

    Args:
        path: of the file.
        layout: of the input, ``NCHW`` or ``NHWC``.
        dtype: of the input.
        batch: the batch size, or the name of an open one.
        sides: height and width.
        head: the last layer: ``logits``, ``softmax`` or ``sigmoid``.
        classes: the number of classes.
        opset: version of ONNX's operators.
        metadata: of the file.
        front: nodes before the network; the first takes ``x``.
        constants: constants for these nodes.
        outputs: names of tensors of 8 features that become outputs too.
        tail: nodes after ``logits``.
        answers: type and shape of the last of these nodes' output.

    Returns:
        The path.
    """
    rng = np.random.default_rng(7)
    kind = np.dtype(dtype)
    weights = kind if kind != np.uint8 else np.dtype(np.float32)
    tensors = {
        "kernel": rng.normal(0, 0.3, (8, 3, 3, 3)).astype(weights),
        "dense": rng.normal(0, 1, (8, classes)).astype(weights),
        "bias": rng.normal(0, 1, classes).astype(weights),
        "flat": np.array([batch if isinstance(batch, int) else -1, 8], np.int64),
        **(constants or {}),
    }
    nodes = list(front)
    last = nodes[-1].output[0] if nodes else "x"
    for needed, node in (
        (kind == np.uint8, helper.make_node("Cast", [last], ["float"], to=TensorProto.FLOAT)),
        (layout == "NHWC", helper.make_node("Transpose", [last], ["planes"], perm=[0, 3, 1, 2])),
    ):
        if needed:
            node.input[0] = last
            nodes.append(node)
            last = node.output[0]
    nodes += [
        helper.make_node("Conv", [last, "kernel"], ["conv"], strides=[2, 2]),
        helper.make_node("Tanh", ["conv"], ["tanh"]),
        helper.make_node("GlobalAveragePool", ["tanh"], ["pooled"]),
        helper.make_node("Reshape", ["pooled", "flat"], ["features"]),
        helper.make_node("MatMul", ["features", "dense"], ["product"]),
        helper.make_node("Add", ["product", "bias"], ["logits" if head == "logits" else "sum"]),
    ]
    if head == "softmax":
        nodes.append(helper.make_node("Softmax", ["sum"], ["softmax"], axis=1))
    elif head == "sigmoid":
        nodes.append(helper.make_node("Sigmoid", ["sum"], ["sigmoid"]))
    nodes += tail
    shape = [batch, *sides, 3] if layout == "NHWC" else [batch, 3, *sides]
    element = _TYPES[weights.name]
    given = [helper.make_tensor_value_info(head, element, [batch, classes])]
    if answers is not None:
        given = [helper.make_tensor_value_info(tail[-1].output[0], *answers)]
    given += [helper.make_tensor_value_info(name, element, [batch, 8]) for name in outputs]
    graph = helper.make_graph(
        nodes,
        "foreign",
        [helper.make_tensor_value_info("x", _TYPES[kind.name], shape)],
        given,
        [numpy_helper.from_array(value, name) for name, value in tensors.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    helper.set_model_props(model, dict(metadata or {}))
    onnx.save(model, path)
    return path


def write_labels(path: Path, classes: int = CLASSES) -> Path:
    """Writes a file with one label per line."""
    path.write_text("\n".join(f"kind {index}" for index in range(classes)), encoding="utf-8")
    return path
