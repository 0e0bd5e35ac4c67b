"""Reads the pickles of CIFAR-10 without unpickling them.

A pickle is a program: its opcodes can call any function, and a manipulated data type can crash numpy. Here the opcodes
are read one after the other, and only those that occur in CIFAR-10's batches are accepted: containers, texts, numbers,
and the three calls by which numpy arrays are written. Nothing is imported or called.

Source: ``pickletools`` of Python's standard library; ``numpy.ndarray.__reduce__``.
"""

import pickletools
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

_DATA_TYPE = ("numpy dtype",)
_ARRAY = ("numpy.core.multiarray _reconstruct", "numpy._core.multiarray _reconstruct")
_TEXT_TO_BYTES = ("_codecs encode",)
_KNOWN = frozenset((*_DATA_TYPE, *_ARRAY, *_TEXT_TO_BYTES, "numpy ndarray"))


class BatchError(ValueError):
    """A pickle is not a CIFAR-10 batch; the message says why."""


@dataclass(slots=True)
class _Name:
    """Takes the place of an object that the pickle would import."""

    text: str


@dataclass(slots=True)
class DataType:
    """The name of a numpy data type, such as ``u1``."""

    name: Any


@dataclass(slots=True)
class Array:
    """A numpy array's state, not yet checked.

    Attributes:
        shape: as in the pickle.
        data_type: of its elements.
        is_fortran: whether the first index varies fastest.
        raw: the bytes of its elements.
    """

    shape: Any = None
    data_type: Any = None
    is_fortran: Any = None
    raw: Any = None

    def bytes_2d(self) -> NDArray[np.uint8] | None:
        """The array, if it is uint8 with two dimensions; None for any other."""
        if not isinstance(self.data_type, DataType) or self.data_type.name not in ("u1", b"u1", "|u1", b"|u1"):
            return None
        shape = self.shape
        if not (
            isinstance(shape, tuple) and len(shape) == 2 and all(type(size) is int and size >= 0 for size in shape)
        ):
            return None
        if not isinstance(self.raw, bytes) or shape[0] * shape[1] != len(self.raw):
            return None
        return np.frombuffer(self.raw, np.uint8).reshape(shape, order="F" if self.is_fortran else "C")


def read_pickle(content: bytes) -> Any:
    """Reads the object in a pickle.

    Args:
        content: of the file, in pickle protocol 2 to 4.

    Returns:
        Dictionaries, lists, tuples, bytes, texts, whole numbers and :class:`Array`. A ``str`` of Python 2 is returned
        as bytes.

    Raises:
        BatchError: it is damaged, or holds an opcode or a name that a batch does not have.
    """
    reader = _Reader()
    try:
        with warnings.catch_warnings(action="ignore"):  # about escape sequences in names
            for opcode, argument, _ in pickletools.genops(content):
                if opcode.name == "STOP":
                    return reader.stack.pop()
                _action(opcode.name)(reader, argument)
    except BatchError:
        raise
    except (ValueError, IndexError, KeyError, TypeError, AttributeError) as error:
        raise BatchError("its opcodes do not fit together") from error
    raise BatchError("it ends too early")


class _Reader:
    """The pickle machine: a stack, a memo, and the opcodes' actions. Each action takes the opcode's argument."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}

    def ignore(self, _: Any) -> None:
        pass

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def push_string(self, text: str) -> None:
        self.stack.append(text.encode("latin-1"))  # pickletools shows the bytes of Python 2 as Latin-1

    def push_list(self, _: Any) -> None:
        self.stack.append([])

    def push_dict(self, _: Any) -> None:
        self.stack.append({})

    def put(self, place: int) -> None:
        self._memo[place] = self.stack[-1]

    def memoize(self, _: Any) -> None:
        self._memo[len(self._memo)] = self.stack[-1]

    def get(self, place: int) -> None:
        self.stack.append(self._memo[place])

    def mark(self, _: Any) -> None:
        self._marks.append(len(self.stack))

    def make_tuple(self, length: int | None) -> None:
        items = self._pop_marked() if length is None else [self.stack.pop() for _ in range(length)][::-1]
        self.stack.append(tuple(items))

    def append(self, _: Any) -> None:
        self._extend([self.stack.pop()])

    def append_all(self, _: Any) -> None:
        self._extend(self._pop_marked())

    def set_item(self, _: Any) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._update([key, value])

    def set_items(self, _: Any) -> None:
        self._update(self._pop_marked())

    def name(self, text: str) -> None:
        self.stack.append(_name(text))

    def name_on_stack(self, _: Any) -> None:
        attribute, module = self.stack.pop(), self.stack.pop()
        self.stack.append(_name(f"{module} {attribute}"))

    def call(self, _: Any) -> None:
        arguments, called = self.stack.pop(), self.stack.pop()
        self.stack.append(_call(called, arguments))

    def set_state(self, _: Any) -> None:
        state = self.stack.pop()
        _set_state(self.stack[-1], state)

    def _pop_marked(self) -> list[Any]:
        start = self._marks.pop()
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def _extend(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, list):
            raise BatchError("its opcodes do not fit together")
        target.extend(items)

    def _update(self, items: list[Any]) -> None:
        target, keys = self.stack[-1], items[::2]
        # Keys are bytes or texts only, since hashing deeply nested tuples can take forever.
        if not isinstance(target, dict) or not all(isinstance(key, bytes | str) for key in keys):
            raise BatchError("its opcodes do not fit together")
        target.update(zip(keys, items[1::2], strict=True))


_ACTIONS: Mapping[str, Callable[[_Reader, Any], None]] = MappingProxyType(
    {
        **dict.fromkeys(("PROTO", "FRAME"), _Reader.ignore),
        **dict.fromkeys(("BININT", "BININT1", "BININT2", "LONG1"), _Reader.push),
        **dict.fromkeys(("SHORT_BINUNICODE", "BINUNICODE", "SHORT_BINBYTES", "BINBYTES"), _Reader.push),
        **dict.fromkeys(("SHORT_BINSTRING", "BINSTRING"), _Reader.push_string),
        "NONE": _Reader.push,
        "NEWTRUE": lambda reader, _: reader.push(True),
        "NEWFALSE": lambda reader, _: reader.push(False),
        "EMPTY_LIST": _Reader.push_list,
        "EMPTY_DICT": _Reader.push_dict,
        "EMPTY_TUPLE": lambda reader, _: reader.make_tuple(0),
        "TUPLE1": lambda reader, _: reader.make_tuple(1),
        "TUPLE2": lambda reader, _: reader.make_tuple(2),
        "TUPLE3": lambda reader, _: reader.make_tuple(3),
        "TUPLE": _Reader.make_tuple,
        "MARK": _Reader.mark,
        **dict.fromkeys(("BINPUT", "LONG_BINPUT"), _Reader.put),
        **dict.fromkeys(("BINGET", "LONG_BINGET"), _Reader.get),
        "MEMOIZE": _Reader.memoize,
        "APPEND": _Reader.append,
        "APPENDS": _Reader.append_all,
        "SETITEM": _Reader.set_item,
        "SETITEMS": _Reader.set_items,
        "GLOBAL": _Reader.name,
        "STACK_GLOBAL": _Reader.name_on_stack,
        "REDUCE": _Reader.call,
        "BUILD": _Reader.set_state,
    }
)


def _action(name: str) -> Callable[[_Reader, Any], None]:
    if name not in _ACTIONS:
        raise BatchError(f"unexpected opcode {name}")
    return _ACTIONS[name]


def _name(text: str) -> _Name:
    if text not in _KNOWN:
        raise BatchError(f"unexpected {text.replace(' ', '.')[:80]}")
    return _Name(text)


def _call(called: Any, arguments: Any) -> Any:
    if isinstance(called, _Name) and isinstance(arguments, tuple):
        if called.text in _ARRAY:
            return Array()
        if called.text in _DATA_TYPE:
            return DataType(arguments[0])
        if called.text in _TEXT_TO_BYTES and arguments[1:] in (("latin1",), ("latin-1",)):
            return arguments[0].encode("latin-1")
    raise BatchError("an unexpected call")


def _set_state(owner: Any, state: Any) -> None:
    if isinstance(owner, Array):
        _, owner.shape, owner.data_type, owner.is_fortran, owner.raw = state
    elif not isinstance(owner, DataType):  # the state of a DataType is not needed for bytes
        raise BatchError("an unexpected state")
