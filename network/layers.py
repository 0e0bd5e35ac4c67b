"""Describes a network layer by layer: output sizes by (W - F + 2P) / S + 1, and each layer's output for a picture.

A stage is a convolution, a pooling or a dense layer, with the operations up to the next one. Shapes are those of the
computed tensors; a formula with another result is not shown.
"""

from typing import Any, Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from contract import INPUT_NAME, OUTPUT_NAME
from network.graph import Graph, Node

MOST_STAGES: Final = 16
_SLIDING: Final = frozenset(("Conv", "MaxPool", "AveragePool"))
_POOLED: Final = frozenset(("GlobalAveragePool", "GlobalMaxPool"))
_DENSE: Final = frozenset(("MatMul", "Gemm"))
_FOLLOWING: Final = frozenset(("Relu", "BatchNormalization", "Clip", "LeakyRelu", "Sigmoid", "Elu", "HardSwish"))
_OF_ACTIVATIONS: Final = frozenset(("Add", "Mul", "Div", "Erf", "Sigmoid", "HardSigmoid", "Clip", "Tanh", "Softplus"))
_ACTIVATIONS: Final = {
    "Erf": "Gelu",
    "HardSigmoid": "HardSwish",
    "Sigmoid": "Swish",
    "Clip": "HardSwish",
    "Tanh": "Mish",
}
"""Names of activations that consist of several operations, by the operation that identifies them."""
_WORDS: Final = {
    "Conv": "convolution",
    "MaxPool": "maximum pooling",
    "AveragePool": "average pooling",
    "GlobalAveragePool": "average over all places",
    "GlobalMaxPool": "maximum over all places",
    "MatMul": "dense",
    "Gemm": "dense",
}


class Inspection(Protocol):
    """A network whose inner tensors can be computed; the sessions of the service and of training implement it."""

    def graph(self) -> Graph:
        """Its operations."""

    def run(self, image: NDArray[np.uint8], names: tuple[str, ...], added: tuple[str, ...] = ()) -> list[Any]:
        """Computes tensors for one picture, uint8 [1, H, W, C]; those in ``added`` are not outputs of the graph."""


class Layer(NamedTuple):
    """One stage of a network.

    Attributes:
        kind: its name as text.
        then: the operations after it that keep the shape.
        input: shape of its input, without N.
        output: shape of its output, without N.
        formula: computation of the output's width, or None.
        parameters: number of weights and biases.
        activation: its output for the picture, float32, without N.
    """

    kind: str
    then: tuple[str, ...]
    input: tuple[int, ...]
    output: tuple[int, ...]
    formula: str | None
    parameters: int
    activation: NDArray[np.float32]


class Look(NamedTuple):
    """The first stages of a network, with their outputs for one picture.

    Attributes:
        layers: the first stages, in the order in which they are computed.
        kernels: of the first convolution, float32 [K, C, h, w]; None where it has none to show.
        notes: what could not be shown, and why.
    """

    layers: list[Layer]
    kernels: NDArray[np.float32] | None
    notes: list[str]


def look_inside(inspection: Inspection, image: NDArray[np.uint8], most: int = MOST_STAGES) -> Look:
    """Computes the stages of a network for one picture.

    Args:
        inspection: of the model; errors of its methods are raised here too.
        image: uint8 [1, H, W, C].
        most: most stages.

    Raises:
        GraphError: the file cannot be read here, or its tensors cannot be computed.
    """
    graph = inspection.graph()
    found = [node for node in graph.nodes if node.kind in _SLIDING | _POOLED | _DENSE]
    if OUTPUT_NAME in graph.outputs:  # nodes that compute familiarity are no layers of the classifier
        needed = graph.needed_for(OUTPUT_NAME)
        found = [node for node in found if node.outputs[0] in needed]
    notes = []
    if not any(node.kind == "Conv" for node in found):
        notes.append("The graph has no plain convolution, so there are no kernels to show.")
    if len(found) > most:
        notes.append(f"The network has {len(found)} such layers; the first {most} are shown.")
    stages = [(node, *_following(graph, node)) for node in found[:most]]
    names = list(dict.fromkeys(name for node, _, last in stages for name in (node.inputs[0], last)))
    names = [name for name in names if name != INPUT_NAME and name not in graph.constants]
    values = dict(zip(names, _compute(inspection, image, names), strict=True))
    layers = [
        _layer(graph, node, then, values[node.inputs[0]], values[last])
        for node, then, last in stages
        if node.inputs[0] in values and last in values
    ]
    return Look(layers, _kernels(graph, found, notes), notes)


def _compute(inspection: Inspection, image: NDArray[np.uint8], names: list[str]) -> list[Any]:
    outputs = [name for name in names if name not in inspection.graph().outputs]
    return inspection.run(image, tuple(names), tuple(outputs)) if names else []


def _following(graph: Graph, node: Node) -> tuple[tuple[str, ...], str]:
    """The operations that belong to a stage, and the last tensor of the stage."""
    then, name = [], node.outputs[0]
    while True:
        followers = graph.consumers(name)
        if len(followers) > 1 and (written_out := _activation(graph, name)) is not None:
            kind, name = written_out
            then.append(kind)
            continue
        if len(followers) != 1:
            break
        follower = followers[0]
        is_bias = follower.kind == "Add" and any(taken in graph.constants for taken in follower.inputs)
        if not (follower.kind in _FOLLOWING or is_bias):
            break
        if not is_bias:
            then.append(follower.kind)
        name = follower.outputs[0]
    return tuple(then), name


def _activation(graph: Graph, name: str) -> tuple[str, str] | None:
    """Finds an activation of x that consists of several operations, such as x * sigmoid(x): (kind, last tensor)."""
    made, kinds = {name}, []
    end: tuple[str, str] | None = None
    for node in graph.nodes:
        variables = [taken for taken in node.inputs if taken and taken not in graph.constants]
        if not variables or not made.issuperset(variables):
            continue
        if node.kind not in _OF_ACTIVATIONS:
            break
        made.add(node.outputs[0])
        kinds.append(node.kind)
        kind = next((_ACTIVATIONS[kind] for kind in kinds if kind in _ACTIVATIONS), None)
        # It ends where all tensors made of x are joined again, and nothing else uses x; a factor may follow.
        inner = made - {node.outputs[0]}
        if kind is not None and all(
            set(follower.outputs) <= made for part in inner for follower in graph.consumers(part)
        ):
            end = kind, node.outputs[0]
    return end


def _layer(graph: Graph, node: Node, then: tuple[str, ...], taken: Any, made: Any) -> Layer:
    weights = [graph.constants[name].size for name in node.inputs[1:] if name in graph.constants]
    if node.kind in _DENSE:
        weights += [made.shape[-1]] if len(weights) == 1 and _has_bias(graph, node) else []
    source, target = taken.shape[1:], made.shape[1:]
    formula = _formula(graph, node, source, target) if node.kind in _SLIDING else None
    return Layer(_WORDS[node.kind], then, source, target, formula, sum(weights), np.asarray(made[0], np.float32))


def _has_bias(graph: Graph, node: Node) -> bool:
    return any(
        follower.kind == "Add" and any(name in graph.constants for name in follower.inputs)
        for follower in graph.consumers(node.outputs[0])
    )


def _formula(graph: Graph, node: Node, source: tuple[int, ...], target: tuple[int, ...]) -> str | None:
    """(W - F + 2P) / S + 1 for the width, if its result is the computed width."""
    if len(source) != 3 or len(target) != 3:
        return None
    weights = graph.constants.get(node.inputs[1]) if node.kind == "Conv" else None
    kernel = _pair(node, "kernel_shape", (1, 1) if weights is None else weights.shape[2:])
    strides, dilations = _pair(node, "strides", (1, 1)), _pair(node, "dilations", (1, 1))
    pads = node.attributes.get("pads", (0, 0, 0, 0))
    if not isinstance(pads, tuple) or len(pads) != 4:
        return None
    side, width = source[2], dilations[1] * (kernel[1] - 1) + 1
    result = (side - width + pads[1] + pads[3]) // strides[1] + 1
    if result != target[2]:  # with auto_pad, or rounded up
        return None
    padding = f"2 x {pads[1]}" if pads[1] == pads[3] else f"{pads[1]} + {pads[3]}"
    return f"({side} - {width} + {padding}) / {strides[1]} + 1 = {result}"


def _pair(node: Node, name: str, otherwise: tuple[int, ...]) -> tuple[int, int]:
    value = node.attributes.get(name, otherwise)
    return (int(value[0]), int(value[1])) if isinstance(value, tuple) and len(value) == 2 else (1, 1)


def _kernels(graph: Graph, found: list[Node], notes: list[str]) -> NDArray[np.float32] | None:
    first = next((node for node in found if node.kind == "Conv"), None)
    if first is None:
        return None
    kernels = graph.constants.get(first.inputs[1])
    if kernels is None or kernels.ndim != 4 or kernels.shape[1] not in {1, 3} or kernels.shape[2] < 2:
        notes.append("The first convolution's kernels are not of grey or of three colours, so they are not shown.")
        return None
    return kernels.astype(np.float32)
