"""JSON from clients, taken apart so that neither its parsing nor its objects can grow without bound.

A parser of JSON makes an object of every element and holds Python's global lock until it is done: 5 million lists stop
the event loop for a second, and a text of 16 MiB full of escapes for 30 ms. So what an honest client sends in bulk is
cut out first, and the rest is counted before it is parsed::

    {"images": ["iVBORw0K...", "AAAA"]} ─┬─> {"images": ["<mark>0", "AAAA"]}   counted, then parsed
                                         └─> LongText(iVBORw0K...)              read step by step
    {"data": [0, 255, ...]}             ─┬─> {"data": "<mark>0"}
                                         └─> NumberList([0, 255, ...])          read by json_pixels, step by step
"""

import json
import re
import secrets
from collections.abc import Iterator
from typing import Any, NamedTuple

import orjson

from service.errors import MalformedRequestError

STEP_BYTES = 65_536
"""Longer texts are read in steps of this length, each of which takes less than a millisecond."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_BLANKS = b" \t\r\n"
_MARK = secrets.token_hex(16)  # no client can know it
_SMALL_TEXT_BYTES = 262_144  # parsed within a millisecond, whatever its strings are
_SHORT_STRING_BYTES = 1024
_OTHER_BYTES = 1 << 20
_SEARCH_BYTES = 1 << 20
_MOST_STRINGS = 8192
_MOST_LISTS = 8
_MOST_BACKSLASHES = 256
_MOST_TAIL_BYTES = 1024
_LONGEST_ESCAPE = len(b"\\u0000")
_LIST_BEGINS = re.compile(rb"[ \t\r\n]{0,256}:[ \t\r\n]{0,256}(?=\[[\[ \t\r\n]{0,256}[^\[ \t\r\n\"{])")


class _Part(NamedTuple):
    """What was cut out: some bytes of the text, which are not copied, since that too would stop other threads."""

    text: bytes
    begin: int
    end: int


class LongText(_Part):
    """A string of JSON that was cut out: what stands between its quotation marks, not known to be valid."""

    def steps(self) -> Iterator[str]:
        """The text, piece by piece.

        Raises:
            ValueError: it is not a valid string; may be raised of a valid one that holds other than ASCII.
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
    """A list of numbers that was cut out, as it stood there, not known to be valid, nor to be a list."""

    def steps(self) -> Iterator[bytes]:
        """The text, piece by piece, cut at commas, which are left out.

        A number or a gap that is longer than a piece makes its piece longer, which the reader has to refuse.
        """
        text, start, last = self
        while start <= last:
            end = text.find(b",", start + STEP_BYTES, last)
            end = last if end < 0 else end
            yield text[start:end] if end - start <= 2 * STEP_BYTES else text[start : start + 2 * STEP_BYTES + 1]
            start = end + 1


class BoundedJson:
    """A JSON text without its bulk.

    Args:
        text: whole; a byte order mark is passed over.
        numbers_key: the key whose lists of numbers are cut out; None where there is none.
    """

    def __init__(self, text: bytes, numbers_key: str | None = None) -> None:
        self._parts: list[LongText | NumberList] = []
        self._text = text.removeprefix(_BYTE_ORDER_MARK)
        if len(text) > _SMALL_TEXT_BYTES:
            self._cut_strings()
        if numbers_key is not None:
            self._cut_numbers(b'"%b"' % numbers_key.encode())

    def is_long(self, most_strings: int) -> bool:
        """Whether more is left than so many short strings need: it is mostly blanks, or digits of one number."""
        return len(self._text) > _OTHER_BYTES + 2 * _SHORT_STRING_BYTES * most_strings

    def has_more(self, signs: bytes, most: int) -> bool:
        """Whether some signs come more often than allowed, outside of what was cut; looks no further than it must.

        Those inside other strings count too, so the count is an upper bound.

        Args:
            signs: one-byte signs, such as ``b",[{"`` for all elements.
            most: how many there may be, all signs together.
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
            what: to begin the message with.

        Returns:
            Its value, with a :class:`LongText` or :class:`NumberList` in place of each part that was cut out.

        Raises:
            MalformedRequestError: it is not JSON, and where.
        """
        try:
            value = orjson.loads(self._text)
        except ValueError as error:
            raise MalformedRequestError(f"{what} not JSON: {self._reason(str(error))}") from None
        return self._put_back(value) if self._parts else value

    def repeated_member(self, value: Any) -> str | None:
        """The name of a member that some object has twice, of which the parser has kept only the last.

        Args:
            value: as parsed. A text that holds no more quotation marks than its strings need is not parsed again.
        """
        if self._text.count(b'"') == 2 * _count_strings(value):
            return None
        repeated: list[str] = []

        def look(pairs: list[tuple[str, Any]]) -> None:
            names = [name for name, _ in pairs]
            repeated.extend(name for name in set(names) if names.count(name) > 1)

        json.loads(self._text, object_pairs_hook=look)
        return repeated[0] if repeated else None

    def _cut_strings(self) -> None:
        text, pieces, start, at = self._text, list[bytes](), 0, 0
        for _ in range(_MOST_STRINGS):
            begin = text.find(b'"', at) + 1
            end = _closing_mark(text, begin) if begin else -1
            if end < 0:
                break
            if end - begin > _SHORT_STRING_BYTES:
                pieces += (text[start:begin], self._mark(LongText(text, begin, end)))
                start = end
            at = end + 1
        self._text = b"".join((*pieces, text[start:])) if pieces else text

    def _cut_numbers(self, key: bytes) -> None:
        """Cuts what follows a key up to the next quotation mark or brace, since a list of numbers holds neither."""
        text, pieces, start, at, count = self._text, list[bytes](), 0, 0, 0
        while count < _MOST_LISTS and (at := _find(text, key, at)) >= 0:
            begins = None if text[at - 1 : at] == b"\\" else _LIST_BEGINS.match(text, at + len(key))
            at += len(key)
            if begins is None:
                continue
            begin = begins.end()
            ends = [end for end in (text.find(b'"', begin), text.find(b"}", begin)) if end >= 0]
            end = _without_tail(text, begin, min(ends, default=len(text)))
            if not _is_closed(text, begin, end):
                continue  # it holds other things too, or is broken
            pieces += (text[start:begin], b'"%b"' % self._mark(NumberList(text, begin, end)))
            start = at = end
            count += 1
        self._text = b"".join((*pieces, text[start:])) if pieces else text

    def _mark(self, part: LongText | NumberList) -> bytes:
        self._parts.append(part)
        return f"{_MARK}{len(self._parts) - 1}".encode()

    def _put_back(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._parts[int(value[len(_MARK) :])] if value.startswith(_MARK) else value
        if isinstance(value, list):
            return [self._put_back(item) for item in value]
        if isinstance(value, dict):
            if any(key.startswith(_MARK) for key in value):
                raise MalformedRequestError(
                    f"the JSON has a member whose name is longer than {_SHORT_STRING_BYTES} bytes"
                )
            return {key: self._put_back(item) for key, item in value.items()}
        return value

    def _reason(self, said: str) -> str:
        """The parser's reason; of a text in another encoding it says nothing that helps."""
        try:
            self._text.decode()
        except UnicodeDecodeError as error:
            where = "" if self._parts else f" from byte {error.start} on"
            return f"it is not UTF-8{where}"
        return said.partition(": line ")[0] if self._parts else said  # with parts cut out, its columns are others


def _find(text: bytes, key: bytes, at: int) -> int:
    """Searches for a key as ``bytes.find`` does, which takes 1.4 ns a byte and is not interrupted."""
    for start in range(at, len(text), _SEARCH_BYTES):
        place = text.find(key, start, start + _SEARCH_BYTES + len(key) - 1)
        if place >= 0:
            return place
    return -1


def _without_tail(text: bytes, begin: int, end: int) -> int:
    """Where a list ends behind which blanks and the comma before the next member may stand."""
    tail = text[max(begin, end - _MOST_TAIL_BYTES) : end]
    return end - len(tail) + len(tail.rstrip(_BLANKS).removesuffix(b",").rstrip(_BLANKS))


def _is_closed(text: bytes, begin: int, end: int) -> bool:
    """Whether as many brackets are closed as opened, and no brace is opened."""
    balance = 0
    for start in range(begin, end, STEP_BYTES):
        step = text[start : min(start + STEP_BYTES, end)]
        balance += step.count(b"[") - step.count(b"]")
        if b"{" in step:
            return False
    return balance == 0


def _count_strings(value: Any) -> int:
    if isinstance(value, str | LongText | NumberList):
        return 1
    if isinstance(value, list):
        return sum(map(_count_strings, value))
    if isinstance(value, dict):
        return len(value) + sum(map(_count_strings, value.values()))
    return 0


def _closing_mark(text: bytes, begin: int) -> int:
    """Where a string ends that begins there; -1 where it does not end."""
    end = text.find(b'"', begin)
    while end >= 0:
        before = text[max(begin, end - _MOST_BACKSLASHES) : end]
        backslashes = len(before) - len(before.rstrip(b"\\"))
        if backslashes == _MOST_BACKSLASHES:
            raise MalformedRequestError(f"the JSON has a string with {_MOST_BACKSLASHES} backslashes in a row")
        if backslashes % 2 == 0:
            return end
        end = text.find(b'"', end + 1)
    return -1
