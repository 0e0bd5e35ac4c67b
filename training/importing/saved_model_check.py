"""Checks SavedModel folders before TensorFlow loads them: operations with an effect outside the graph are refused.

A network is a function of its input, so it needs no operations with side effects, which could write or read any file.
TensorFlow itself registers which operations are stateful. Of these, only operations on variables, tables and random
numbers are allowed. Operations that save and restore variables are allowed only where neither loading nor answering
runs them.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from google.protobuf.message import DecodeError
from tensorflow.core.framework import function_pb2, graph_pb2, node_def_pb2
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2
from tensorflow.python.framework import op_def_registry

from training.errors import ImportRefusedError
from training.files import leads_out

_FILES = ("SaveV2", "RestoreV2", "MergeV2Checkpoints", "Save", "SaveSlices", "Restore", "RestoreSlice")
_READS = ("ReadFile", "MatchingFiles", "InitializeTableFromTextFileV2", "InitializeTableFromTextFile")
_STATEFUL = (
    *("VarHandleOp", "ReadVariableOp", "AssignVariableOp", "AssignAddVariableOp", "AssignSubVariableOp"),
    *("VarIsInitializedOp", "DestroyResourceOp", "ResourceGather", "VariableV2", "Variable", "IsVariableInitialized"),
    *("StatefulPartitionedCall", "If", "While", "Case", "Assert", "TPUPartitionedCall"),
    *("HashTableV2", "MutableHashTableV2", "LookupTableFindV2", "LookupTableImportV2", "LookupTableExportV2"),
    *("LookupTableSizeV2", "InitializeTableV2", "TemporaryVariable", "DestroyTemporaryVariable"),
    *("DisableCopyOnRead", "ResourceGatherNd", "MutableDenseHashTableV2", "AnonymousHashTable"),
    *("RandomUniform", "RandomStandardNormal", "TruncatedNormal", "RandomUniformInt", "Multinomial", "RandomShuffle"),
    *("RngReadAndSkip", "RngSkip", "StatefulUniform", "StatefulUniformInt", "StatefulStandardNormalV2"),
    *("StatefulTruncatedNormal", "StatefulUniformFullInt", "NonDeterministicInts"),
)
_INITIALIZERS = ("saved_model_main_op", "legacy_init_op", "saved_model_initializers")


def check_saved_model(path: Path) -> None:
    """Checks a folder.

    Raises:
        ImportRefusedError: it is damaged, or has links that lead out of it or operations with an effect outside.
    """
    for file in path.rglob("*"):
        if file.is_symlink() and leads_out(file, path):
            raise ImportRefusedError(f"{file} is a link that leads out of its folder; copy the file itself there")
        if not (file.is_file() or file.is_dir()):  # reading a named pipe could wait forever
            raise ImportRefusedError(f"{file} is not a regular file")
    saved = saved_model_pb2.SavedModel()
    try:
        saved.ParseFromString((path / "saved_model.pb").read_bytes())
    except (OSError, DecodeError) as error:
        raise ImportRefusedError(f"{path}/saved_model.pb is not a SavedModel, or a damaged one") from error
    for graph in saved.meta_graphs:
        library = graph.graph_def.library.function
        everywhere = [*graph.graph_def.node, *(node for item in library for node in item.node_def)]
        check_operations(everywhere, path, allowed=_FILES)
        try:
            check_operations(_run_by_itself(graph), path)
        except RecursionError:
            raise ImportRefusedError(f"{path}: its functions call each other too deeply to be checked") from None


def check_operations(nodes: Iterable[node_def_pb2.NodeDef], path: Path, *, allowed: Iterable[str] = ()) -> None:
    """Checks that operations only compute.

    Args:
        nodes: of a graph or a function.
        path: for the message.
        allowed: stateful operations that are allowed in addition to those on variables, tables and random numbers.

    Raises:
        ImportRefusedError: one has an effect outside the graph.
    """
    passing = {*_STATEFUL, *allowed}
    for node in nodes:
        known = op_def_registry.get(node.op)
        has_effect = node.op in (*_READS, *_FILES) or (known is not None and known.is_stateful)
        is_training = node.op.startswith(("ResourceApply", "ResourceScatter", "ResourceSparseApply"))
        if has_effect and node.op not in passing and not is_training:
            raise ImportRefusedError(
                f"{path}: its operation {node.name[:80]!r} ({node.op[:80]}) reads or writes files, runs Python code or "
                "has another effect outside the network; export the network without it"
            )


def reached(graph: graph_pb2.GraphDef, names: Iterable[str]) -> Iterator[node_def_pb2.NodeDef]:
    """The named nodes, all nodes that they need, and the nodes of all functions that these call."""
    nodes = {node.name: node for node in graph.node}
    functions = {item.signature.name: item for item in graph.library.function}
    waiting, seen, called = list(names), set[str](), set[str]()
    while waiting:
        name = waiting.pop().lstrip("^").partition(":")[0]
        if name in seen or name not in nodes:
            continue
        seen.add(name)
        yield nodes[name]
        waiting.extend(nodes[name].input)
        yield from _called(nodes[name], functions, called)


def _called(
    node: node_def_pb2.NodeDef, functions: Mapping[str, function_pb2.FunctionDef], called: set[str]
) -> Iterator[node_def_pb2.NodeDef]:
    for attribute in node.attr.values():
        for name in (attribute.func.name, *(item.name for item in attribute.list.func)):
            if name in functions and name not in called:
                called.add(name)
                for inner in functions[name].node_def:
                    yield inner
                    yield from _called(inner, functions, called)


def _run_by_itself(graph: meta_graph_pb2.MetaGraphDef) -> Iterator[node_def_pb2.NodeDef]:
    """The nodes that loading or answering may run: in functions of objects, in signatures and in initializers."""
    functions = {item.signature.name: item for item in graph.graph_def.library.function}
    called = set[str]()
    for name in graph.object_graph_def.concrete_functions:
        if name in functions and name not in called:
            called.add(name)
            for inner in functions[name].node_def:
                yield inner
                yield from _called(inner, functions, called)
    names = [tensor.name for signature in graph.signature_def.values() for tensor in signature.outputs.values()]
    for key in _INITIALIZERS:
        names.extend(graph.collection_def[key].node_list.value if key in graph.collection_def else ())
    yield from reached(graph.graph_def, names)
