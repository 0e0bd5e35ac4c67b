"""Reads and changes the outputs of exported ONNX graphs, and adds metadata. Needs no TensorFlow."""

import onnx

from contract import FAMILIARITY_NAME, FEATURES_NAME, ModelMetadata
from network.graph import read_graph


def features_shape(model: onnx.ModelProto) -> tuple[int, int, int] | None:
    """(C, H, W) of the output ``features``; None where the graph has none."""
    for value in model.graph.output:
        if value.name == FEATURES_NAME:
            channels, height, width = (dim.dim_value for dim in value.type.tensor_type.shape.dim[1:])
            return channels, height, width
    return None


def without_familiarity(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of the graph without its output ``familiarity`` and the nodes that only this output needs."""
    rest = onnx.ModelProto()
    rest.CopyFrom(model)
    outputs = {value.name for value in rest.graph.output} - {FAMILIARITY_NAME}
    graph = read_graph(model.SerializeToString())
    needed = {tensor for name in outputs for tensor in graph.needed_for(name)}
    for place in reversed(range(len(rest.graph.node))):
        if needed.isdisjoint(rest.graph.node[place].output):
            del rest.graph.node[place]
    for fields, used in ((rest.graph.initializer, needed), (rest.graph.output, outputs)):
        for place in reversed(range(len(fields))):
            if fields[place].name not in used:
                del fields[place]
    return rest


def with_metadata(model: onnx.ModelProto, metadata: ModelMetadata) -> bytes:
    """The file's content: the graph with its metadata.

    Raises:
        ContractError: the metadata contradicts itself.
    """
    complete = onnx.ModelProto()
    complete.CopyFrom(model)
    onnx.helper.set_model_props(complete, metadata.to_props())
    content: bytes = complete.SerializeToString()
    return content
