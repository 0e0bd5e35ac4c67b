"""Parses JSON from clients; the time that it takes and the number of objects that it makes are limited.

A JSON parser makes an object of every element and holds Python's global lock until it has finished: 5 million lists
block the event loop for a second, and a text of 16 MiB full of escapes for 30 ms. So the long parts that a normal
request has are cut out first, and the elements of the rest are counted before it is parsed::

    {"images": ["iVBORw0K...", "AAAA"]} ─┬─> {"images": ["<mark>0", "AAAA"]}   counted, then parsed
                                         └─> LongText(iVBORw0K...)              read step by step
    {"data": [0, 255, ...]}             ─┬─> {"data": "<mark>0"}
                                         └─> NumberList([0, 255, ...])          read by json_pixels, step by step
"""

import json
import re
import secrets
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson

from service.errors import MalformedRequestError

STEP_BYTES = 65_536
"""Longer texts are read in steps of this length, each of which takes less than a millisecond."""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_BLANKS = b" \t\r\n"
_MARK = secrets.token_hex(16)  # random, so that no client can send it
_SMALL_TEXT_BYTES = 262_144  # such a text is parsed within a millisecond, with any strings
_SHORT_STRING_BYTES = 1024
_OTHER_BYTES = 1 << 20
_SEARCH_BYTES = 1 << 20
_MOST_QUOTATION_MARKS = 65_536
_MOST_KEYS = 64
_MOST_LEVELS = 64
_MOST_BACKSLASHES = 256
_MOST_TAIL_BYTES = 1024
_LONGEST_ESCAPE = len(b"\\u0000")
_LIST_BEGINS = re.compile(rb"[ \t\r\n]{0,4096}:[ \t\r\n]{0,4096}(?=\[[\[ \t\r\n]{0,4096}[^\[ \t\r\n\"{])")


class _Part(NamedTuple):
    """A part that was cut out. Its bytes are not copied, since a copy would block other threads too."""

    text: bytes
    begin: int
    end: int


class LongText(_Part):
    """A string that was cut out: the bytes between its quotation marks. It may not be valid."""

    def steps(self) -> Iterator[str]:
        """The text, piece by piece.

        Raises:
            ValueError: it is not a valid string. A valid string that is not ASCII may raise it too.
        """
        text, start, last = self
        while start < last:
            end = min(start + STEP_BYTES, last)
            if end < last:
                escape = text.rfind(b"\\", end - _LONGEST_ESCAPE, end)
                end = end if escape < 0 else escape
            step: str = orjson.loads(b'"%b"' % text[start:end])
            yield step
            start = end


class NumberList(_Part):
    """A list of numbers that was cut out. It may not be valid."""

    def steps(self) -> Iterator[bytes]:
        """The text, piece by piece, cut at commas, which are left out.

        A number or a gap that is longer than a piece makes a piece of more than ``2 * STEP_BYTES``, which the caller
        must refuse.
        """
        text, start, last = self
        while start <= last:
            end = text.find(b",", start + STEP_BYTES, last)
            end = last if end < 0 else end
            yield text[start:end] if end - start <= 2 * STEP_BYTES else text[start : start + 2 * STEP_BYTES + 1]
            start = end + 1


class BoundedJson:
    """A JSON text whose long parts are cut out.

    Args:
        text: UTF-8; a byte order mark at its start is ignored.
        numbers_keys: the keys whose lists of numbers are cut out.
        most_lists: how many places of each of these keys are looked at; further lists of numbers stay in the text.
    """

    def __init__(self, text: bytes, *numbers_keys: str, most_lists: int = _MOST_KEYS) -> None:
        self._parts: list[LongText | NumberList] = []
        self._text = text.removeprefix(BYTE_ORDER_MARK)
        if len(text) > _SMALL_TEXT_BYTES:
            self._cut_strings()
        for key in numbers_keys:
            self._cut_numbers(b'"%b"' % key.encode(), most_lists)

    def is_long(self, most_strings: int) -> bool:
        """Whether the rest is longer than so many short strings can be: then it has many blanks or a long number."""
        return len(self._text) > _OTHER_BYTES + 2 * _SHORT_STRING_BYTES * most_strings

    def has_more(self, signs: bytes, most: int) -> bool:
        """Whether the rest contains some characters more often than allowed. Counting stops at the limit.

        Characters inside strings are counted too, so the count is an upper bound.

        Args:
            signs: one-byte characters, such as ``b",[{"`` for all elements.
            most: how many of them are allowed, all together.
        """
        count = 0
        for start in range(0, len(self._text), STEP_BYTES):
            step = self._text[start : start + STEP_BYTES]
            count += sum(step.count(sign) for sign in signs)
            if count > most:
                return True
        return False

    def parse(self, what: str = "the body is") -> Any:
        """Parses the text, whose length and elements have been checked with :meth:`is_long` and :meth:`has_more`.

        Args:
            what: the first words of the error message.

        Returns:
            The value, with a :class:`LongText` or :class:`NumberList` in place of each part that was cut out.

        Raises:
            MalformedRequestError: it is not JSON; the message says where.
        """
        try:
            value = orjson.loads(self._text)
        except ValueError as error:
            raise MalformedRequestError(f"{what} not JSON: {self._reason(str(error))}") from None
        return self._put_back(value, _MOST_LEVELS) if self._parts else value

    def repeated_member(self, value: Any) -> str | None:
        """Returns the name of a member that an object has twice, or None; the parser keeps only the last of them.

        Args:
            value: the parsed value. The text is parsed again only where it has more quotation marks than this value.

        Raises:
            MalformedRequestError: lists and objects are nested too deeply.
        """
        if self._text.count(b'"') == 2 * _count_strings(value, _MOST_LEVELS):
            return None
        repeated: list[str] = []

        def look(pairs: list[tuple[str, Any]]) -> None:
            counts = Counter(name for name, _ in pairs)
            if len(counts) < len(pairs):
                repeated.extend(name for name, count in counts.items() if count > 1)

        json.loads(self._text, object_pairs_hook=look)
        return repeated[0] if repeated else None

    def _cut_strings(self) -> None:
        text, pieces, start, begin, at = self._text, list[bytes](), 0, 0, 0
        for _ in range(_MOST_QUOTATION_MARKS):
            mark = text.find(b'"', at)
            if mark < 0:
                break
            at = mark + 1
            if not begin:
                begin = at
            elif not _is_escaped(text, begin, mark):
                if mark - begin > _SHORT_STRING_BYTES:
                    pieces += (text[start:begin], self._mark(LongText(text, begin, mark)))
                    start = mark
                begin = 0
        self._text = b"".join((*pieces, text[start:])) if pieces else text

    def _cut_numbers(self, key: bytes, most: int) -> None:
        """Cuts what follows a key up to the next quotation mark or brace, since a list of numbers holds neither."""
        text, pieces, start, at = self._text, list[bytes](), 0, 0
        for _ in range(most):
            at = _find(text, key, at)
            if at < 0:
                break
            begins = None if text[at - 1 : at] == b"\\" else _LIST_BEGINS.match(text, at + len(key))
            at += len(key)
            if begins is None:
                continue
            begin = begins.end()
            mark = text.find(b'"', begin)
            mark = len(text) if mark < 0 else mark
            brace = text.find(b"}", begin, mark)
            end = _without_tail(text, begin, mark if brace < 0 else brace)
            if _is_closed(text, begin, end):  # otherwise it has other elements too, or is not valid
                pieces += (text[start:begin], b'"%b"' % self._mark(NumberList(text, begin, end)))
                start = at = end
        self._text = b"".join((*pieces, text[start:])) if pieces else text

    def _mark(self, part: LongText | NumberList) -> bytes:
        self._parts.append(part)
        return f"{_MARK}{len(self._parts) - 1}".encode()

    def _put_back(self, value: Any, levels: int) -> Any:
        if isinstance(value, str):
            return self._parts[int(value[len(_MARK) :])] if value.startswith(_MARK) else value
        if not isinstance(value, list | dict):
            return value
        _check_levels(levels)
        if isinstance(value, list):
            return [self._put_back(item, levels - 1) for item in value]
        if any(key.startswith(_MARK) for key in value):
            raise MalformedRequestError(f"the JSON has a member whose name is longer than {_SHORT_STRING_BYTES} bytes")
        return {key: self._put_back(item, levels - 1) for key, item in value.items()}

    def _reason(self, said: str) -> str:
        """The parser's message, or a clearer one where the text is empty or not UTF-8."""
        if not self._text or self._text.isspace():
            return "it is empty"
        try:
            self._text.decode()
        except UnicodeDecodeError as error:
            where = "" if self._parts else f" from byte {error.start} on"
            return f"it is not UTF-8{where}"
        return said.partition(": line ")[0] if self._parts else said  # its columns are wrong where parts are cut out


def _find(text: bytes, key: bytes, at: int) -> int:
    """Searches like ``bytes.find``, in steps: it takes 1.4 ns a byte, during which no other thread runs."""
    for start in range(at, len(text), _SEARCH_BYTES):
        place = text.find(key, start, start + _SEARCH_BYTES + len(key) - 1)
        if place >= 0:
            return place
    return -1


def _without_tail(text: bytes, begin: int, end: int) -> int:
    """The index at which a list ends, without the blanks and the comma that may follow it."""
    tail = text[max(begin, end - _MOST_TAIL_BYTES) : end]
    return end - len(tail) + len(tail.rstrip(_BLANKS).removesuffix(b",").rstrip(_BLANKS))


def _is_closed(text: bytes, begin: int, end: int) -> bool:
    """Whether there are as many closing as opening brackets, and no brace."""
    balance = 0
    for start in range(begin, end, STEP_BYTES):
        step = text[start : min(start + STEP_BYTES, end)]
        balance += step.count(b"[") - step.count(b"]")
        if b"{" in step:
            return False
    return balance == 0


def _count_strings(value: Any, levels: int) -> int:
    if isinstance(value, str | LongText | NumberList):
        return 1
    if not isinstance(value, list | dict):
        return 0
    _check_levels(levels)
    if isinstance(value, list):
        return sum(_count_strings(item, levels - 1) for item in value)
    return len(value) + sum(_count_strings(item, levels - 1) for item in value.values())


def _check_levels(left: int) -> None:
    if left == 0:
        raise MalformedRequestError(f"the JSON is nested deeper than {_MOST_LEVELS} lists and objects")


def _is_escaped(text: bytes, begin: int, mark: int) -> bool:
    """Whether a quotation mark is escaped, that is, an odd number of backslashes is before it."""
    before = text[max(begin, mark - _MOST_BACKSLASHES) : mark]
    backslashes = len(before) - len(before.rstrip(b"\\"))
    if backslashes == _MOST_BACKSLASHES:
        raise MalformedRequestError(f"the JSON has a string with {_MOST_BACKSLASHES} backslashes in a row")
    return backslashes % 2 == 1
