"""Replaces ZipMap, by which Azure Custom Vision, AutoML and skl2onnx end a graph, by the tensor that it takes.

ZipMap makes of [N, K] values a list of N maps from label to value, and names the labels in the order of the columns.
Beside it stands the label of the best class, as text or a number, which is left out.
"""

import onnx
from onnx import TensorProto, helper

from training.importing.labels import Labels
from training.importing.onnx_nodes import remove_unused
from training.importing.stated import Fact, Stated, unless_refused

_DOMAIN = "ai.onnx.ml"
_FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE)
_LABELS = ("classlabels_strings", "classlabels_int64s")


def replace_zip_map(model: onnx.ModelProto) -> tuple[Stated, bool]:
    """Changes a graph whose outputs a ZipMap makes; the outputs keep their names.

    Args:
        model: is changed in place, unless no output is made by a ZipMap.

    Returns:
        (the labels that ZipMap names; nothing where it names none, or two name different ones, and whether they are
        only the numbers of the columns).
    """
    given = {value.name for value in model.graph.output}
    zips = [node for node in model.graph.node if node.op_type == "ZipMap" and node.domain == _DOMAIN]
    zips = [node for node in zips if given.intersection(node.output)]
    if not zips:
        return Stated(), False
    found = [_labels(node) for node in zips]
    for node, names in zip(zips, found, strict=True):
        (value,) = (value for value in model.graph.output if value.name == node.output[0])
        value.CopyFrom(helper.make_tensor_value_info(value.name, TensorProto.FLOAT, [None, len(names) or None]))
        node.CopyFrom(helper.make_node("Identity", list(node.input), list(node.output), node.name))
    kept = [value for value in model.graph.output if value.type.tensor_type.elem_type in _FLOATS]
    del model.graph.output[:]
    model.graph.output.extend(kept)
    remove_unused(model.graph)
    if not found[0] or any(names != found[0] for names in found):
        return Stated(), False
    return Stated(labels=_fact(found[0])), found[0] == [str(index) for index in range(len(found[0]))]


def _labels(node: onnx.NodeProto) -> list[str]:
    values = {item.name: helper.get_attribute_value(item) for item in node.attribute}
    named: list[bytes] | list[int] = next((values[key] for key in _LABELS if values.get(key)), [])
    return [name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name) for name in named]


def _fact(names: list[str]) -> Fact[Labels]:
    places = {str(index): name for index, name in enumerate(names)}  # the places state the order, not the names
    return unless_refused(lambda: Labels.from_json(places, "the labels of ZipMap"), "ZipMap in the graph")
