"""Lists the layers of any ONNX graph as rows of a table: operations with weights or a sliding window, and their cost.

Shapes come from ONNX's shape inference; unknown ones are left open. The graph is not run, so any graph can be listed.
"""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import onnx

from contract import INPUT_NAME
from training.layer_row import LayerRow

_POOLS: Final = ("MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool")
_CARRIERS: Final = ("Identity", "Cast", "Transpose", "Reshape", "DequantizeLinear", "QuantizeLinear", "Unsqueeze")
"""Operations through which a weight reaches the layer that it belongs to."""
_NO_WEIGHTS: Final = (onnx.TensorProto.INT64, onnx.TensorProto.BOOL, onnx.TensorProto.STRING)
"""Types of constants that are shapes, axes or indices."""
_MADE: Final = ("Constant", "ConstantOfShape")
_WEIGHT_AT: Final = {"Conv": 1, "ConvTranspose": 1, "ConvInteger": 1, "QLinearConv": 3}
_PRODUCTS: Final = ("MatMul", "Gemm", "MatMulInteger", "QLinearMatMul")


def onnx_rows(model: onnx.ModelProto) -> tuple[list[LayerRow], Counter[str]]:
    """Lists a graph.

    Args:
        model: with its weights.

    Returns:
        One row for each layer in order, and how many other operations of each kind there are.
    """
    return _Listing(model).rows()


class _Listing:
    def __init__(self, model: onnx.ModelProto) -> None:
        self._graph = model.graph
        self._shapes = _shapes(model)
        self._weights = {
            tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer if tensor.data_type not in _NO_WEIGHTS
        }
        self._makers: dict[str, onnx.NodeProto] = {}
        for node in model.graph.node:
            if node.op_type == "Constant" and node.attribute and node.attribute[0].HasField("t"):
                if node.attribute[0].t.data_type not in _NO_WEIGHTS:
                    self._weights[node.output[0]] = tuple(node.attribute[0].t.dims)
            elif node.op_type == "ConstantOfShape" and None not in (shape := self._shapes.get(node.output[0], (None,))):
                self._weights[node.output[0]] = tuple(side for side in shape if side is not None)
            self._makers |= dict.fromkeys(node.output, node)
        # A picture and its mirror image (--mirrored-view) are two rows of the batch inside the graph.
        self._views = 1 + any(_joins_rows(node) and INPUT_NAME in node.input for node in model.graph.node)

    def rows(self) -> tuple[list[LayerRow], Counter[str]]:
        listed, others = [], Counter[str]()
        for node in self._graph.node:
            constants = [shape for name in node.input if (shape := self._constant(name)) is not None]
            learnt = sum(math.prod(shape) for shape in constants)
            is_layer = node.op_type in (*_WEIGHT_AT, *_PRODUCTS, *_POOLS) or (
                node.op_type not in (*_CARRIERS, *_MADE) and any(math.prod(shape) > 1 for shape in constants)
            )
            if is_layer:
                listed.append(self._row(node, 0 if node.op_type in _POOLS else learnt))
            elif node.op_type not in _MADE:
                others[node.op_type] += 1
        return listed, others

    def _row(self, node: onnx.NodeProto, parameters: int) -> LayerRow:
        said: dict[str, Any] = {
            attribute.name: onnx.helper.get_attribute_value(attribute) for attribute in node.attribute
        }
        weights = self._constant(node.input[_WEIGHT_AT[node.op_type]]) if node.op_type in _WEIGHT_AT else None
        kernel = said.get("kernel_shape") or (weights[2:] if weights else ())
        pads = said.get("pads")
        padding = "x".join(str(side) for side in pads) if pads and any(pads) else _word(said.get("auto_pad"))
        if pads and any(pads) and len(set(pads)) == 1:
            padding = str(pads[0])
        return LayerRow(
            name=node.name or node.output[0],
            kind=node.op_type,
            kernel="x".join(str(side) for side in kernel),
            stride=_sides(said.get("strides", ())),
            padding=padding,
            output=_volume(self._shapes.get(node.output[0])),
            parameters=parameters,
            multiply_adds=None if (cost := self._multiply_adds(node, weights)) is None else self._views * cost,
        )

    def _multiply_adds(self, node: onnx.NodeProto, weights: tuple[int, ...] | None) -> int | None:
        """Multiply-adds for one row of the batch; None where shapes are open or the operation's cost is not known."""
        if weights is not None:
            at = node.input[0] if node.op_type == "ConvTranspose" else node.output[0]
            places = self._shapes.get(at)
            return _product([*weights, *places[2:]]) if places else None
        if node.op_type in _PRODUCTS:
            taken, made = self._shapes.get(node.input[0]), self._shapes.get(node.output[0])
            if not taken or not made:
                return None
            inner = taken[0 if node.op_type == "Gemm" and _is_transposed(node) else -1]
            return _product([inner, *(made[1:] if len(made) > 1 else made)])
        if node.op_type in _POOLS or node.op_type in ("Add", "Mul", "Sub", "Div", "BatchNormalization", "PRelu"):
            return 0
        return None

    def _constant(self, name: str) -> tuple[int, ...] | None:
        """The shape of a weight; operations of :data:`_CARRIERS` between it and the layer are followed."""
        for _ in range(len(_CARRIERS)):
            if name in self._weights:
                return self._weights[name]
            maker = self._makers.get(name)
            if maker is None or maker.op_type not in _CARRIERS or not maker.input:
                return None
            name = maker.input[0]
        return None


def _shapes(model: onnx.ModelProto) -> dict[str, tuple[int | None, ...]]:
    try:
        inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
    except Exception:  # noqa: BLE001  a graph whose shapes cannot be inferred can still be listed
        inferred = model
    graph = inferred.graph
    found: dict[str, tuple[int | None, ...]] = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        if value.type.tensor_type.HasField("shape"):
            dims = value.type.tensor_type.shape.dim
            found[value.name] = tuple(dim.dim_value if dim.HasField("dim_value") else None for dim in dims)
    return found


def _product(sides: Sequence[int | None]) -> int | None:
    return None if any(side is None for side in sides) else math.prod(side for side in sides if side is not None)


def _volume(shape: tuple[int | None, ...] | None) -> str:
    if shape is None:
        return "?"
    return "x".join("?" if side is None else str(side) for side in (shape[1:] if len(shape) > 1 else shape))


def _sides(values: Sequence[int]) -> str:
    return str(values[0]) if values and len(set(values)) == 1 else "x".join(str(side) for side in values)


def _word(auto_pad: bytes | None) -> str:
    return "" if auto_pad in (None, b"NOTSET", b"VALID") else auto_pad.decode("ascii", "replace").lower()


def _joins_rows(node: onnx.NodeProto) -> bool:
    return node.op_type == "Concat" and any(item.name == "axis" and item.i == 0 for item in node.attribute)


def _is_transposed(node: onnx.NodeProto) -> bool:
    return any(attribute.name == "transA" and attribute.i for attribute in node.attribute)
