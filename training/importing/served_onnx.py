"""Wraps a foreign graph in the contract's graph: uint8 pixels in, probabilities out, all in one file.

::

    image uint8 [N, H, W, C] -> float32 -> BGR -> * a + b -> [N, C, H, W] -> foreign graph -> head -> probabilities
                                └────── only the steps the network needs ───────┘
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import ArrayLike
from onnx import TensorProto, compose, helper, numpy_helper

from contract import INPUT_NAME, OUTPUT_NAME
from training.errors import ImportRefusedError
from training.files import reason
from training.importing.head import Ending
from training.importing.onnx_graph import NetworkInput
from training.importing.onnx_nodes import rename_inputs
from training.importing.preprocessing import Preprocessing

_FOREIGN = "network/"
_LEAST_PROBABILITY = 1e-30  # its logarithm is still finite in float32


@dataclass(slots=True)
class _Chain:
    """Appends nodes to a graph; each takes the output of the one before."""

    graph: onnx.GraphProto
    last: str
    count: int = 0

    def add(self, kind: str, *constants: ArrayLike, dtype: type = np.float32, **attributes: Any) -> None:
        self.count += 1
        names = [f"convoy/{self.count}/constant-{index}" for index in range(len(constants))]
        for name, value in zip(names, constants, strict=True):
            self.graph.initializer.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        output = f"convoy/{self.count}"
        self.graph.node.append(helper.make_node(kind, [self.last, *names], [output], output, **attributes))
        self.last = output


def serve(
    model: onnx.ModelProto,
    *,
    taken: NetworkInput,
    output: str,
    size: tuple[int, int],
    preprocessing: Preprocessing,
    ending: Ending,
    temperature: float,
) -> onnx.ModelProto:
    """Puts preprocessing and head around a graph.

    Args:
        model: takes any batch of pictures of ``size``.
        taken: its input.
        output: the name of the output that classifies, [N, K], [N], [N, K, 1, 1] or [N, 1, 1, K].
        size: (height, width) in pixels.
        preprocessing: of pixel values.
        ending: how its values become probabilities.
        temperature: the divisor of the logits; 1 leaves them as they are.

    Returns:
        A graph of the contract; without metadata.

    Raises:
        ImportRefusedError: ONNX's own checker finds it invalid.
    """
    foreign = compose.add_prefix(model, _FOREIGN)
    graph = onnx.GraphProto(name="classifier")
    height, width = size
    graph.input.append(
        helper.make_tensor_value_info(INPUT_NAME, TensorProto.UINT8, ["N", height, width, taken.channels])
    )
    graph.initializer.extend(foreign.graph.initializer)
    graph.sparse_initializer.extend(foreign.graph.sparse_initializer)
    graph.quantization_annotation.extend(foreign.graph.quantization_annotation)
    front = _Chain(graph, INPUT_NAME)
    _prepare(front, taken, preprocessing)
    before = len(graph.node)
    graph.node.extend(foreign.graph.node)
    for node in graph.node[before:]:
        rename_inputs(node, _FOREIGN + taken.name, front.last)
    back = _Chain(graph, _FOREIGN + output, front.count)
    _finish(back, ending, temperature)
    graph.node.append(helper.make_node("Identity", [back.last], [OUTPUT_NAME], OUTPUT_NAME))
    graph.output.append(helper.make_tensor_value_info(OUTPUT_NAME, TensorProto.FLOAT, ["N", ending.classes]))
    served = helper.make_model(
        graph, opset_imports=list(foreign.opset_import), functions=list(foreign.functions), producer_name="convoy"
    )
    served.ir_version = foreign.ir_version
    try:
        onnx.checker.check_model(served)
    except (onnx.checker.ValidationError, ValueError) as error:
        raise ImportRefusedError(f"the graph is not valid ONNX: {reason(error)}") from error
    return served


def _prepare(chain: _Chain, taken: NetworkInput, preprocessing: Preprocessing) -> None:
    if not (taken.dtype == np.uint8 and preprocessing.is_identity):
        chain.add("Cast", to=TensorProto.FLOAT)
    if preprocessing.order == "BGR":
        chain.add("Gather", [2, 1, 0], dtype=np.int64, axis=3)
    scale, offset = 1 / np.array(preprocessing.std), -np.array(preprocessing.mean) / np.array(preprocessing.std)
    if (scale != 1).any():
        chain.add("Mul", scale)
    if (offset != 0).any():
        chain.add("Add", offset)
    if taken.layout == "NCHW":
        chain.add("Transpose", perm=[0, 3, 1, 2])
    wanted = helper.np_dtype_to_tensor_dtype(taken.dtype)
    if taken.dtype not in (np.float32, np.uint8) or (taken.dtype == np.uint8 and not preprocessing.is_identity):
        chain.add("Cast", to=wanted)


def _finish(chain: _Chain, ending: Ending, temperature: float) -> None:
    chain.add("Cast", to=TensorProto.FLOAT)
    chain.add("Reshape", [-1, ending.columns], dtype=np.int64)
    is_sigmoid = ending.head in ("sigmoid", "multi-label")
    if temperature != 1:
        if ending.values_are == "probabilities":
            _to_logits(chain, is_sigmoid=is_sigmoid)
        chain.add("Div", temperature)
    if temperature != 1 or ending.values_are != "probabilities":
        if is_sigmoid:
            chain.add("Sigmoid")
        else:
            chain.add("Softmax", axis=1)
    if ending.head == "sigmoid":  # [1 - p, p]: p * [-1, 1] + [1, 0]
        chain.add("Mul", [-1, 1])
        chain.add("Add", [1, 0])


def _to_logits(chain: _Chain, *, is_sigmoid: bool) -> None:
    if is_sigmoid:  # -log(1 / p - 1)
        chain.add("Max", _LEAST_PROBABILITY)
        chain.add("Reciprocal")
        chain.add("Sub", 1)
        chain.add("Max", _LEAST_PROBABILITY)
    else:
        chain.add("Max", _LEAST_PROBABILITY)
    chain.add("Log")
    if is_sigmoid:
        chain.add("Neg")
