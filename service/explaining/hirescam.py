"""HiResCAM (Draelos and Carin, arXiv 2011.08891), exact for networks that end in one dense layer.

In such a network a class's logit is a sum over the places of the last feature map. The explanation shows the terms of
this sum for each place: weights x activations, summed over the channels. With maximum pooling, only the place of each
channel's largest value counts. It needs one forward pass and no gradients. The graph shows whether a network is of this
kind, and each picture is checked: the sums of the map must give the probabilities of the model.

A network that averages the logits of a picture and of its mirror image has such a map too: the mean of the two maps,
with the second one mirrored back.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from contract import FEATURES_NAME, OUTPUT_NAME
from network.graph import Graph, Node

Pooling = Literal["mean", "max", "none"]

_TOLERANCE: Final = 1e-3
_LEAST_PLACES: Final = 16
_PARTS: Final = frozenset(("Reshape", "Slice", "Squeeze"))  # they take one view's features from those of two views
_SHAPES: Final = frozenset(("Reshape", "Flatten", "Squeeze", "Identity", "Cast"))
_POOLS: Final[Mapping[str, Pooling]] = {
    "GlobalAveragePool": "mean",
    "ReduceMean": "mean",
    "GlobalMaxPool": "max",
    "ReduceMax": "max",
}


@dataclass(frozen=True, slots=True)
class LinearHead:
    """The layers after the last feature map.

    Attributes:
        weights: float32 [K, C] after pooling, [K, C x H x W] after flattening.
        bias: float32 [K].
        pooling: what is used of each channel: its mean, its largest value, or every place.
        is_sigmoid: whether the labels are independent (sigmoid).
        is_mirrored: whether the logits are the mean over the picture and its mirror image.
    """

    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    pooling: Pooling
    is_sigmoid: bool
    is_mirrored: bool = False

    def contributions(
        self, features: NDArray[np.float32], mirrored: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """The contribution of each place to each logit.

        Args:
            features: float32 [C, H, W].
            mirrored: the features of the mirror image, if ``is_mirrored``.

        Returns:
            float32 [K, H, W].
        """
        if mirrored is not None:
            views = self.contributions(features), self.contributions(mirrored)[:, :, ::-1]
            return (views[0] + views[1]) / np.float32(2)
        channels, height, width = features.shape
        if self.pooling == "mean":
            return np.tensordot(self.weights, features, axes=1) / np.float32(height * width)
        if self.pooling == "max":
            return np.tensordot(self.weights, _largest_alone(features), axes=1)
        parts = self.weights.reshape(-1, channels, height, width) * features
        total: NDArray[np.float32] = parts.sum(axis=1)
        return total

    def explains(self, places: NDArray[np.float32], probabilities: NDArray[np.float32]) -> bool:
        """Whether the contributions [K, H, W] give the model's probabilities [K]."""
        logits = places.sum(axis=(1, 2)) + self.bias
        if self.is_sigmoid:
            shares = 1 / (1 + np.exp(-logits))
        else:
            powers = np.exp(logits - logits.max())
            shares = powers / powers.sum()
        return bool(np.abs(shares - probabilities).max() <= _TOLERANCE)


def is_fine(features: tuple[int, int, int] | None) -> bool:
    """Whether a feature map (C, H, W) is fine enough: each place must be less than a tenth of the picture.

    For ``cifar10`` version 3, whose map has 3 x 3 places, occlusion gives far better explanations; the measurements are
    in bench/reports/explaining.md.
    """
    return features is not None and features[1] * features[2] >= _LEAST_PLACES


def linear_head(graph: Graph) -> LinearHead | None:
    """Finds the one dense layer after the last feature map; None where other or further layers follow."""
    walk = _Walk(graph)
    while walk.node is not None:
        if walk.node.kind in {"Softmax", "Sigmoid"}:
            return walk.head(is_sigmoid=walk.node.kind == "Sigmoid")
        if not walk.step(walk.node):
            return None
    return None


def upscale(places: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """Spreads a map over the pixels of the input, float32 [height, width]."""
    scaled = Image.fromarray(places.astype(np.float32)).resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(scaled, np.float32)


def _largest_alone(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Keeps the first largest value of each channel, and sets all others to 0; [C, H, W]."""
    flat = features.reshape(len(features), -1)
    alone = np.zeros_like(flat)
    rows, places = np.arange(len(flat)), flat.argmax(axis=1)
    alone[rows, places] = flat[rows, places]
    return alone.reshape(features.shape)


class _Walk:
    """Follows the graph from the last feature map to the probabilities, node by node."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._name = FEATURES_NAME
        while (node := graph.maker(self._name)) is not None and node.kind in _PARTS:
            self._name = node.inputs[0]
        self._is_mirrored = self._name != FEATURES_NAME
        self._has_views = False
        self._is_mean = not self._is_mirrored  # of all views
        self._weights: NDArray[np.float32] | None = None
        self._bias = np.zeros(1, np.float32)
        self._pooling: Pooling = "none"
        self._used = graph.needed_for(OUTPUT_NAME)

    @property
    def node(self) -> Node | None:
        """The only node on the path to the probabilities that uses the present tensor; None if there are others."""
        followers = [node for node in self._graph.consumers(self._name) if node.outputs[0] in self._used]
        return followers[0] if len(followers) == 1 else None

    def step(self, node: Node) -> bool:
        """Processes one node; returns False if it cannot be part of such a head."""
        if node.kind in {"MatMul", "Gemm"}:
            is_known = self._weights is None and self._take_dense(node)
        elif node.kind == "ReduceMean" and self._has_views and not self._is_mean:
            is_known = self._is_mean = True
        elif node.kind in _POOLS:
            is_known = self._weights is None and self._pooling == "none"
            self._pooling = _POOLS[node.kind]
        elif node.kind in {"Add", "Mul", "Div"}:
            is_known = self._weights is not None and self._take_constant(node)
        else:
            is_known = node.kind in _SHAPES
            self._has_views |= node.kind == "Reshape"  # [2, N, D]: a new first axis, over which the views are averaged
        self._name = node.outputs[0]
        return is_known

    def head(self, *, is_sigmoid: bool) -> LinearHead | None:
        """Makes the head from the processed nodes."""
        if self._weights is None or self._bias.size not in {1, len(self._weights)} or not self._is_mean:
            return None
        bias = np.broadcast_to(self._bias.reshape(-1), (len(self._weights),))
        return LinearHead(self._weights, bias, self._pooling, is_sigmoid, self._is_mirrored)

    def _take_dense(self, node: Node) -> bool:
        constant = self._graph.constants.get(node.inputs[1]) if len(node.inputs) > 1 else None
        if node.inputs[0] != self._name or constant is None or constant.ndim != 2 or node.attributes.get("transA"):
            return False
        weights = constant.astype(np.float32)
        self._weights = (weights if node.attributes.get("transB") else weights.T) * _factor(node, "alpha")
        if len(node.inputs) > 2:
            bias = self._graph.constants.get(node.inputs[2])
            if bias is None:
                return False
            self._bias = bias.astype(np.float32).reshape(-1) * _factor(node, "beta")
        return True

    def _take_constant(self, node: Node) -> bool:
        """Processes an added bias, or a temperature by which logits are divided."""
        others = [self._graph.constants.get(taken) for taken in node.inputs if taken != self._name]
        if len(others) != 1 or others[0] is None or self._weights is None:
            return False
        constant = others[0].astype(np.float32)
        if node.kind == "Add":
            self._bias = self._bias + constant.reshape(-1)
            return True
        if constant.size != 1 or (node.kind == "Div" and node.inputs[0] != self._name):
            return False
        scale: NDArray[np.float32] = (
            constant.reshape(-1) if node.kind == "Mul" else np.float32(1) / constant.reshape(-1)
        )
        self._weights, self._bias = self._weights * scale, self._bias * scale
        return True


def _factor(node: Node, name: str) -> np.float32:
    value = node.attributes.get(name, 1.0)
    return np.float32(value if isinstance(value, int | float) else 1.0)
