"""The parameters of a prediction: which model answers, what the answer lists, and which decisions it has.

They may be in the path, in the query, in fields of a form and in members of a JSON body, with the same meaning.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl

from service.decoding import LongText
from service.errors import MalformedRequestError

MOST_CHARACTERS = 128
MOST_TOP_K = 999_999_999
PROBABILITIES = ("all", "top", "none")
ON_ERROR = ("report",)
PREPARE = ("none", "digit")
_MOST_PARAMETERS = 16


class Parameters(NamedTuple):
    """The parameters in one part of a request: its path, query or body.

    Attributes:
        model: name, or None for the default.
        version: or None for the model's default version.
        top_k: how many labels to list, or None.
        probabilities: one of ``PROBABILITIES``; None leaves it to the number of labels.
        on_error: one of ``ON_ERROR``; None refuses the request for one bad picture.
        prepare: one of ``PREPARE``, see :mod:`imaging.strokes`; None is as ``none``: this is not done.
        min_confidence: least probability, 0 to 1, at which the most probable label is named; None: it always is.
        coverage: probability, 0 to 1, that a picture's label set contains the right label; None: no label set.
        familiarity: whether each prediction says how familiar its picture looks to the model.
        receipt: whether each prediction has a receipt, with which it can be repeated.
    """

    model: str | None = None
    version: str | None = None
    top_k: int | None = None
    probabilities: str | None = None
    on_error: str | None = None
    prepare: str | None = None
    min_confidence: float | None = None
    coverage: float | None = None
    familiarity: bool | None = None
    receipt: bool | None = None

    def ask_decisions(self) -> bool:
        """Whether any of the parameters of decisions is given, from ``min_confidence`` on."""
        return self[_FIRST_DECISION:] != _NO_DECISIONS


NO_PARAMETERS = Parameters()
_FIRST_DECISION: Final = 6  # the index of `min_confidence`
_NO_DECISIONS: Final = NO_PARAMETERS[_FIRST_DECISION:]
_DECISION_NAMES = frozenset(Parameters._fields[_FIRST_DECISION:])
_NUMBER = re.compile(r"[0-9]{0,32}\.?[0-9]{0,32}(?:[eE][-+]?[0-9]{1,3})?")


def read_query(query: bytes, names: Sequence[str] = Parameters._fields) -> Parameters:
    """Reads the query of a request.

    Args:
        query: without the question mark.
        names: of the parameters that the endpoint has.

    Raises:
        MalformedRequestError: an unknown or repeated parameter, or an invalid value.
    """
    return read_pairs(split_query(query), names) if query else NO_PARAMETERS


def refuse_query(query: bytes) -> None:
    """Checks the query of an API that has no parameters there.

    Args:
        query: without the question mark.

    Raises:
        MalformedRequestError: the query is not empty.
    """
    if query:
        pairs = parse_qsl(query[:1024].decode("latin-1"), keep_blank_values=True)
        name = pairs[0][0] if pairs else query[:64].decode("latin-1")
        raise MalformedRequestError(f"unknown parameter {name[:64]!r} in the address; this API takes none there")


def split_query(query: bytes) -> list[tuple[str, str]]:
    """The names and values of a query, in the order sent.

    Raises:
        MalformedRequestError: they are too many.
    """
    try:
        return parse_qsl(query.decode("latin-1"), keep_blank_values=True, max_num_fields=_MOST_PARAMETERS)
    except ValueError as error:
        raise MalformedRequestError(f"the query has more than {_MOST_PARAMETERS} parameters") from error


def read_pairs(pairs: Sequence[tuple[str, str]], names: Sequence[str]) -> Parameters:
    """Reads the names and values of a query; see :func:`read_query`."""
    values = dict(pairs)
    if unknown := [key for key in values if key not in names]:
        raise MalformedRequestError(f"unknown parameter {unknown[0][:64]!r}; known: {', '.join(names)}")
    if len(values) < len(pairs):
        raise MalformedRequestError("a parameter is given twice")
    return read_values(values)


def read_values(values: Mapping[str, Any]) -> Parameters:
    """Checks the values of parameters. They are text or, from JSON, of any type; null is the same as absent.

    Args:
        values: by name; other names are ignored.

    Raises:
        MalformedRequestError: an invalid value; the message says which values are valid.
    """
    if not values:
        return NO_PARAMETERS
    version = values.get("version")
    if type(version) is int or (type(version) is float and version.is_integer()):
        version = str(int(version))  # in JSON, 3.0 is a whole number too
    if version is not None and not isinstance(version, str | LongText):
        raise MalformedRequestError("version must be text or a whole number")
    return Parameters(
        _text("model", values.get("model")),
        _text("version", version),
        _count(values.get("top_k")),
        _choice("probabilities", values.get("probabilities"), PROBABILITIES),
        _choice("on_error", values.get("on_error"), ON_ERROR),
        _choice("prepare", values.get("prepare"), PREPARE),
        *(_NO_DECISIONS if _DECISION_NAMES.isdisjoint(values) else _read_decisions(values)),
    )


def _read_decisions(values: Mapping[str, Any]) -> tuple[float | None, float | None, bool | None, bool | None]:
    return (
        _share("min_confidence", values.get("min_confidence")),
        _share("coverage", values.get("coverage")),
        _flag("familiarity", values.get("familiarity")),
        _flag("receipt", values.get("receipt")),
    )


def merge(sources: Iterable[tuple[str, Parameters]]) -> Parameters:
    """Merges the parameters of all parts of a request.

    Args:
        sources: the name of each part, for messages, and its parameters.

    Raises:
        MalformedRequestError: two parts give different values.
    """
    merged: dict[str, tuple[str, Any]] = {}
    for place, parameters in sources:
        for name, value in zip(Parameters._fields, parameters, strict=True):
            if value is None:
                continue
            other_place, other = merged.setdefault(name, (place, value))
            if other != value:
                raise MalformedRequestError(
                    f"{name} is {other!r} in the {other_place} and {value!r} in the {place}; name it once"
                )
    return Parameters(**{name: value for name, (_, value) in merged.items()})


def _text(name: str, value: Any) -> str | None:
    if isinstance(value, LongText) or (isinstance(value, str) and len(value) > MOST_CHARACTERS):
        raise MalformedRequestError(f"{name} has more than the {MOST_CHARACTERS} characters that are allowed")
    if value is not None and not isinstance(value, str):
        raise MalformedRequestError(f"{name} must be text")
    return value


def _choice(name: str, value: Any, choices: tuple[str, ...]) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or value not in choices:
        given = f"{value[:16]!r}" if isinstance(value, str) else "not text"
        raise MalformedRequestError(f"{name} is {given}; it must be {' or '.join(choices)}")
    return value


def _share(name: str, value: Any) -> float | None:
    """A number from 0 to 1."""
    if value is None:
        return None
    number = -1.0
    if isinstance(value, str):
        if _NUMBER.fullmatch(value) and any(digit.isdecimal() for digit in value.lower().partition("e")[0]):
            number = float(value)
    elif type(value) in (int, float):
        number = float(min(max(value, -1), 2))
    if not 0 <= number <= 1:
        given = f"{str(value)[:16]!r}" if isinstance(value, str | int | float) else "not a number"
        raise MalformedRequestError(f"{name} is {given}; it must be a number from 0 to 1")
    return number


def _flag(name: str, value: Any) -> bool | None:
    """A boolean. Clients in Python send ``True`` and ``False`` in a query, as they write them."""
    if value is None or isinstance(value, bool):
        return value
    if not isinstance(value, str) or value not in ("true", "false", "True", "False"):
        given = f"{value[:16]!r}" if isinstance(value, str) else "neither true nor false"
        raise MalformedRequestError(f"{name} is {given}; it must be true or false")
    return value in ("true", "True")


def _count(value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, str):
        number = int(value) if value.isascii() and value.isdecimal() and len(value) <= 9 else 0
    else:
        # In JSON, 3.0 is a whole number too (JSON Schema, section 6.1.1).
        is_whole = type(value) is int or (type(value) is float and value.is_integer())
        number = int(value) if is_whole else 0
    if not 1 <= number <= MOST_TOP_K:
        raise MalformedRequestError(f"top_k is {str(value)[:16]!r}; it must be a whole number from 1 up")
    return number
