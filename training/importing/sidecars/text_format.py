"""Reads protobuf's text format without the schema: only a few of the dozens of fields of ``config.pbtxt`` are needed.

Protobuf's own parser cannot skip unknown fields in all forms in which they may be written.

Source: https://protobuf.dev/reference/protobuf/textformat-spec/
"""

import ast
import re
from typing import Any

_TOKEN = re.compile(
    r"""[ \t\r\n\f\v]+ | \#[^\n]* | (?P<token>"(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)*' | [\w.+-]+ | [{}\[\]<>:,;/])""",
    re.VERBOSE,
)
_CLOSING = {"{": "}", "<": ">", "": ""}
_MOST_LEVELS = 32

Message = dict[str, list[Any]]


class TextFormatError(Exception):
    """The text is not in this format. The message says where."""


def parse(text: str) -> Message:
    """Reads a message.

    Args:
        text: of the file.

    Returns:
        The values of each field, in their order: messages, or texts for strings, numbers and names.

    Raises:
        TextFormatError: the text is not in this format.
    """
    return _Reader(text).message("", _MOST_LEVELS)


class _Reader:
    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, int]] = []
        at = 0
        while at < len(text):
            found = _TOKEN.match(text, at)
            line = text.count("\n", 0, at) + 1
            if found is None:
                raise TextFormatError(f"line {line}: {text[at]!r} is not expected")
            if found["token"]:
                self._tokens.append((found["token"], line))
            at = found.end()
        self._tokens.append(("", text.count("\n") + 1))
        self._place = 0

    def message(self, opening: str, levels: int) -> Message:
        """Fields up to the sign that closes the message, or to the end."""
        if levels == 0:
            raise self._error(f"messages are nested deeper than {_MOST_LEVELS}")
        fields: Message = {}
        while (name := self._next()) != _CLOSING[opening]:
            if name in (",", ";"):
                continue
            if not re.fullmatch(r"\w+", name):
                raise self._error(f"{name!r} is found instead of the name of a field" if name else "it ends early")
            has_colon = self._take(":")
            if not has_colon and self._ahead not in ("{", "<", "["):
                raise self._error(f"a colon is missing after {name}")
            fields.setdefault(name, []).extend(self._values(levels))
        return fields

    def _values(self, levels: int) -> list[Any]:
        if not self._take("["):
            return [self._value(levels)]
        values: list[Any] = []
        while not self._take("]"):
            values.append(self._value(levels))
            if not self._take(",") and self._ahead != "]":
                raise self._error(f"{self._ahead!r} is found instead of a comma or ]")
        return values

    def _value(self, levels: int) -> Any:
        token = self._next()
        if token in ("{", "<"):
            return self.message(token, levels - 1)
        if token[:1] in ("'", '"'):
            text = self._unquote(token)
            while self._ahead[:1] in ("'", '"'):  # strings that follow each other are one
                text += self._unquote(self._next())
            return text
        if not re.fullmatch(r"[\w.+-]+", token):
            raise self._error(f"{token!r} is found instead of a value" if token else "it ends early")
        return token

    def _unquote(self, token: str) -> str:
        try:
            return str(ast.literal_eval(token))
        except (ValueError, SyntaxError):
            raise self._error("a string has an escape that is not known") from None

    @property
    def _ahead(self) -> str:
        return self._tokens[self._place][0]

    def _next(self) -> str:
        token = self._ahead
        if token:
            self._place += 1
        return token

    def _take(self, token: str) -> bool:
        is_there = self._ahead == token
        self._place += is_there
        return is_there

    def _error(self, what: str) -> TextFormatError:
        return TextFormatError(f"line {self._tokens[max(0, self._place - 1)][1]}: {what}")
