"""Strict readers of JSON values.

A model file may come from any source, so all of its metadata is checked. Each reader returns the value with the type of
the field, or raises :class:`ContractError` with the field's name, the value that is needed and the value that was
found. Texts and booleans are never accepted as numbers, and every text and list has a greatest length.
"""

import json
import math
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, NoReturn, TypeVar

from contract.errors import ContractError

MOST_JSON_CHARACTERS = 1 << 25
"""Longest JSON of one field: the pixels of the golden images take by far the most."""

_SHOWN_CHARACTERS = 40
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_CONTROL_OR_NEW_LINE = re.compile(r"[\x00-\x1f\x7f-\x9f]")

T = TypeVar("T")
Reader = Callable[[Any, str], T]
"""Takes a JSON value and the field's name, and returns the value in the type of the field."""


def parse(text: str, field: str) -> Any:
    """Parses the JSON of one field. ``NaN`` and ``Infinity``, which are not JSON, are refused."""
    if len(text) > MOST_JSON_CHARACTERS:
        raise ContractError(f"metadata field {field} has {len(text)} characters; at most {MOST_JSON_CHARACTERS} may be")
    try:
        return json.loads(text, parse_constant=lambda constant: _refuse_constant(constant, field))
    except RecursionError:
        raise ContractError(f"metadata field {field} is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise ContractError(f"metadata field {field} is not JSON: {error.msg} at character {error.pos}") from None
    except ContractError:
        raise
    except ValueError:  # a whole number of thousands of digits
        raise ContractError(f"metadata field {field} has a number that is too long") from None


def text(
    *, most: int, may_break: bool = False, fits: Callable[[str], bool] | None = None, rule: str = ""
) -> Reader[str]:
    """A text of 1 to ``most`` characters, valid in UTF-8 and without control characters.

    Args:
        most: most characters.
        may_break: whether it may have tabs and several lines.
        fits: a further rule.
        rule: description of that rule, for the message.
    """
    needed = rule or f"a text of 1 to {most} characters, without control characters"

    def read(value: Any, field: str) -> str:
        if (
            not isinstance(value, str)
            or not is_text(value, most=most, may_break=may_break)
            or not (fits is None or fits(value))
        ):
            refuse(value, field, needed)
        return value

    return read


def is_text(value: str, *, most: int, may_break: bool = False) -> bool:
    """Whether a text can stand in a field; the arguments are those of :func:`text`."""
    forbidden = _CONTROL if may_break else _CONTROL_OR_NEW_LINE
    return 1 <= len(value) <= most and forbidden.search(value) is None and _is_unicode(value)


def whole(least: int, most: int) -> Reader[int]:
    """A whole number."""

    def read(value: Any, field: str) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            refuse(value, field, f"a whole number from {least} to {most}")
        return value

    return read


def number(least: float, most: float, *, is_open: bool = False) -> Reader[float]:
    """A finite number.

    Args:
        least: smallest value.
        most: largest value.
        is_open: whether ``least`` itself is not allowed.
    """
    needed = f"a number {'above' if is_open else 'from'} {least:g}, at most {most:g}"

    def read(value: Any, field: str) -> float:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not least <= value <= most or (is_open and value == least):
            refuse(value, field, needed)
        return float(value)

    return read


def flag(value: Any, field: str) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        refuse(value, field, "true or false")
    return value


def choice(options: Collection[T]) -> Reader[T]:
    """One of a few texts."""

    def read(value: Any, field: str) -> T:
        if not isinstance(value, str) or value not in options:
            refuse(value, field, f"one of {', '.join(map(str, options))}")
        return value  # type: ignore[return-value]

    return read


def sequence(item: Reader[T], *, least: int, most: int) -> Reader[tuple[T, ...]]:
    """A list of ``least`` to ``most`` items, each read by ``item``."""

    def read(value: Any, field: str) -> tuple[T, ...]:
        if not isinstance(value, list) or not least <= len(value) <= most:
            size = str(least) if least == most else f"{least} to {most}"
            refuse(value, field, f"a list of {size} items")
        return tuple(item(entry, f"{field}[{place}]") for place, entry in enumerate(value))

    return read


def shares(*, least: int, most: int) -> Reader[tuple[float, ...]]:
    """A list of shares of a whole: each from 0 to 1, together 1."""
    items = sequence(number(0, 1), least=least, most=most)

    def read(value: Any, field: str) -> tuple[float, ...]:
        found = items(value, field)
        if abs(math.fsum(found) - 1) > 1e-3:
            raise ContractError(f"metadata field {field}: the shares add up to {math.fsum(found):.4f}, not to 1")
        return found

    return read


def optional(reader: Reader[T]) -> Reader[T | None]:
    """A value for ``reader``, or null."""
    return lambda value, field: None if value is None else reader(value, field)


def members(readers: Mapping[str, Reader[Any]]) -> Reader[dict[str, Any]]:
    """A JSON object with exactly these members."""

    def read(value: Any, field: str) -> dict[str, Any]:
        if not isinstance(value, dict) or value.keys() != readers.keys():
            refuse(value, field, f"an object with the members {', '.join(readers)}")
        return {name: reader(value[name], f"{field}.{name}") for name, reader in readers.items()}

    return read


def free_form(value: Any, field: str) -> Mapping[str, Any]:
    """A JSON object with any members; its texts must be valid in UTF-8."""
    if not isinstance(value, dict):
        refuse(value, field, "an object")
    try:
        is_unicode = _is_unicode(json.dumps(value, ensure_ascii=False))
    except RecursionError:
        raise ContractError(f"metadata field {field} is nested too deeply") from None
    if not is_unicode:
        raise ContractError(f"metadata field {field} has a text that is not Unicode")
    return value


def refuse(value: Any, field: str, needed: str) -> NoReturn:
    """Raises the error for a field with a wrong value.

    Raises:
        ContractError: always.
    """
    raise ContractError(f"metadata field {field}: {needed} is needed, not {_shown(value)}")


def _shown(value: Any) -> str:
    """A value, shortened, so that messages do not repeat long texts from a file."""
    if isinstance(value, dict):
        return f"an object with the members {', '.join(map(str, value))[:_SHOWN_CHARACTERS]!a}"
    if isinstance(value, list):
        return f"a list of {len(value)} items"
    shown = json.dumps(value)
    return shown if len(shown) <= _SHOWN_CHARACTERS else f"{shown[:_SHOWN_CHARACTERS]}..."


def _is_unicode(value: str) -> bool:
    """Whether a text is valid in UTF-8; in JSON it may have one half of a surrogate pair."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _refuse_constant(constant: str, field: str) -> NoReturn:
    raise ContractError(f"metadata field {field} is not JSON: it has {constant}")
