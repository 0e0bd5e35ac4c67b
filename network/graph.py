"""Reads the graph of an ONNX file from its bytes: nodes, attributes, constants. Needs no package except NumPy.

Only the parts that explanations need are read; ONNX Runtime has accepted the file before. Sources: onnx/onnx.proto3
(field numbers); https://protobuf.dev/programming-guides/encoding/ (the wire format, and that concatenated messages are
merged).
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from network.wire_format import BYTES, FIXED_SIZES, VARINT, read_varint

_GRAPH, _METADATA, _NODE, _INITIALIZER, _OUTPUT = 7, 14, 1, 5, 12
_DTYPES: Final[Mapping[int, str]] = {1: "<f4", 2: "u1", 3: "i1", 6: "<i4", 7: "<i8", 9: "?", 10: "<f2", 11: "<f8"}


class GraphError(Exception):
    """The file has no graph that this module can read."""


class Node(NamedTuple):
    """One operation.

    Attributes:
        kind: such as ``Conv``.
        inputs: names of its input tensors.
        outputs: names of its output tensors.
        attributes: whole numbers, lists of them and floats, by name; others are left out.
    """

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, int | float | tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Graph:
    """The operations of a network, in the order in which they are computed.

    Attributes:
        nodes: the operations.
        outputs: names of the graph's outputs.
        constants: the weights, by name; where possible, as views of the file.
    """

    nodes: tuple[Node, ...]
    outputs: tuple[str, ...]
    constants: dict[str, NDArray[np.generic]]

    def consumers(self, name: str) -> list[Node]:
        """The operations that have a tensor as an input."""
        return [node for node in self.nodes if name in node.inputs]

    def maker(self, name: str) -> Node | None:
        """The operation that has a tensor as an output; None for inputs and constants."""
        return next((node for node in self.nodes if name in node.outputs), None)

    def needed_for(self, name: str) -> set[str]:
        """All tensors from which a tensor is computed, and the tensor itself."""
        needed = {name}
        for node in reversed(self.nodes):
            if not needed.isdisjoint(node.outputs):
                needed.update(node.inputs)
        return needed


def read_graph(model: bytes) -> Graph:
    """Reads a file.

    Args:
        model: the whole file.

    Raises:
        GraphError: it cannot be read here.
    """
    try:
        parts = [value for number, value in _fields(memoryview(model)) if number == _GRAPH]
        nodes: list[Node] = []
        constants: dict[str, NDArray[np.generic]] = {}
        outputs: list[str] = []
        for part in parts:
            for number, value in _fields(_view(part)):
                if number == _NODE:
                    nodes.append(_node(_view(value), constants))
                elif number == _INITIALIZER:
                    name, tensor = _tensor(_view(value))
                    constants[name] = tensor
                elif number == _OUTPUT:
                    outputs += [_text(name) for field, name in _fields(_view(value)) if field == 1]
    except (IndexError, ValueError, KeyError, UnicodeDecodeError, struct.error) as error:
        raise GraphError("the file's graph cannot be read") from error
    return Graph(tuple(nodes), tuple(outputs), constants)


def read_metadata(model: bytes) -> dict[str, str]:
    """The file's ``metadata_props``. The graph is skipped, so this takes microseconds.

    Args:
        model: the whole file.

    Raises:
        GraphError: they cannot be read.
    """
    found = {}
    try:
        for number, entry in _fields(memoryview(model)):
            if number == _METADATA:
                texts = {field: _text(value) for field, value in _fields(_view(entry))}
                found[texts.get(1, "")] = texts.get(2, "")
    except (IndexError, ValueError, KeyError) as error:
        raise GraphError("the file's metadata cannot be read") from error
    return found


def with_outputs(model: bytes, names: list[str]) -> bytes:
    """Adds tensors to the outputs of a graph, by a second message that is merged into the first.

    Args:
        model: the whole file.
        names: names of tensors that are not outputs yet.
    """
    values = b"".join(_message(_OUTPUT, _message(1, name.encode())) for name in names)
    return model + _message(_GRAPH, values)


def _message(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | BYTES) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    at, end = 0, len(data)
    while at < end:
        key, at = read_varint(data, at, end)
        kind = key & 7
        value: int | memoryview
        if kind == VARINT:
            value, at = read_varint(data, at, end)
        else:
            if kind == BYTES:
                length, at = read_varint(data, at, end)
            else:
                length = FIXED_SIZES[kind]
            if at + length > end:
                raise ValueError("it is cut short")
            value, at = data[at : at + length], at + length
        yield key >> 3, value


def _view(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise ValueError("a number stands where a message should")  # noqa: TRY004  what is wrong is the file
    return value


def _text(value: int | memoryview) -> str:
    return bytes(_view(value)).decode()


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _numbers(value: int | memoryview) -> list[int]:
    if isinstance(value, int):
        return [_signed(value)]
    found, at = [], 0
    while at < len(value):
        number, at = read_varint(value, at, len(value))
        found.append(_signed(number))
    return found


def _node(data: memoryview, constants: dict[str, NDArray[np.generic]]) -> Node:
    inputs, outputs, kind = [], [], ""
    attributes: dict[str, int | float | tuple[int, ...]] = {}
    for number, value in _fields(data):
        if number == 1:
            inputs.append(_text(value))
        elif number == 2:
            outputs.append(_text(value))
        elif number == 4:
            kind = _text(value)
        elif number == 5:
            name, content = _attribute(_view(value))
            if isinstance(content, np.ndarray):
                if kind == "Constant" and outputs:
                    constants[outputs[0]] = content
            elif content is not None:
                attributes[name] = content
    return Node(kind, tuple(inputs), tuple(outputs), attributes)


def _attribute(data: memoryview) -> tuple[str, int | float | tuple[int, ...] | NDArray[np.generic] | None]:
    name, integers = "", []
    content: int | float | tuple[int, ...] | NDArray[np.generic] | None = None
    for number, value in _fields(data):
        if number == 1:
            name = _text(value)
        elif number == 2:
            content = float(struct.unpack("<f", _view(value))[0])
        elif number == 3 and isinstance(value, int):
            content = _signed(value)
        elif number == 5:
            content = _tensor(_view(value))[1]
        elif number == 8:
            integers += _numbers(value)
    return name, tuple(integers) if integers else content


def _tensor(data: memoryview) -> tuple[str, NDArray[np.generic]]:
    parts: dict[int, list[int | memoryview]] = {}
    for number, value in _fields(data):
        parts.setdefault(number, []).append(value)
    name = "".join(_text(value) for value in parts.get(8, ()))
    kind = parts.get(2, [0])[0]
    if not isinstance(kind, int) or kind not in _DTYPES:  # text or low precision: no weights of a dense layer
        return name, np.empty(0, np.float32)
    if 9 in parts:
        tensor: NDArray[np.generic] = np.frombuffer(_view(parts[9][0]), _DTYPES[kind])
    elif 4 in parts:
        tensor = np.frombuffer(b"".join(bytes(_view(value)) for value in parts[4]), "<f4")
    else:
        numbers = [number for field in (5, 7) for value in parts.get(field, ()) for number in _numbers(value)]
        tensor = np.array(numbers, _DTYPES[kind])
    return name, tensor.reshape([number for value in parts.get(1, ()) for number in _numbers(value)])
