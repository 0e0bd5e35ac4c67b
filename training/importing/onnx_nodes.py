"""Walks over the nodes of an ONNX graph, in the bodies of If, Loop and Scan too."""

from collections.abc import Iterator, Sequence

import onnx


def inner_graphs(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """The bodies of a node."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def all_nodes(nodes: Sequence[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
    """Some nodes and those in their bodies."""
    for node in nodes:
        yield node
        for graph in inner_graphs(node):
            yield from all_nodes(graph.node)


def taken_by(node: onnx.NodeProto) -> set[str]:
    """The names of all tensors that a node takes, in its bodies too."""
    return {name for inner in all_nodes([node]) for name in inner.input} | {
        value.name for inner in all_nodes([node]) for graph in inner_graphs(inner) for value in graph.output
    }


def rename_inputs(node: onnx.NodeProto, old: str, new: str) -> None:
    """Renames a tensor wherever a node takes it, in its bodies too."""
    for inner in all_nodes([node]):
        for index, name in enumerate(inner.input):
            if name == old:
                inner.input[index] = new


def remove_unused(graph: onnx.GraphProto) -> None:
    """Removes the nodes and constants that no output of a graph depends on."""
    needed, kept = {value.name for value in graph.output}, []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            kept.append(node)
            needed |= taken_by(node)
    del graph.node[:]
    graph.node.extend(reversed(kept))
    constants = [tensor for tensor in graph.initializer if tensor.name in needed]
    del graph.initializer[:]
    graph.initializer.extend(constants)
