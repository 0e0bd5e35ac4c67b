"""Makes text safe for a log: on one line, of limited length, and without control characters for a terminal.

Clients can choose parts of the logged text: a path, a file's name, the text of an error about them. Such text must not
begin a new line, which would look like another event.
"""

import re
from typing import Any, Final

import orjson

LONGEST_MESSAGE: Final = 2_000
LONGEST_FIELD: Final = 1_000
LONGEST_TRACEBACK: Final = 20_000

# Unicode line separators, control characters (also those from 0x80 on), and characters that change the text direction.
_UNSAFE: Final = re.compile("[\0-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def on_one_line(text: str, longest: int) -> str:
    """Escapes unsafe characters, and shortens long text.

    Args:
        text: the text to log.
        longest: most characters that are kept.
    """
    if len(text) > longest:
        text = f"{text[:longest]}... ({len(text) - longest} more characters)"
    return _UNSAFE.sub(_escape, text)


def on_lines_of_their_own(traceback: str) -> str:
    """A traceback with each line indented and made safe, so that none looks like another event."""
    return "\n".join(f"  | {on_one_line(line, LONGEST_MESSAGE)}" for line in _middle_cut(traceback).split("\n"))


def as_json(value: Any) -> str:
    """A value in JSON, always on one line. Values of other types than JSON's become text."""
    try:
        written = orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:  # a surrogate, with which Python represents file names that are not UTF-8, or a very large number
        written = orjson.dumps(_plain(value)).decode()
    return _UNSAFE.sub(_escape, written)


def bounded(fields: dict[str, Any]) -> dict[str, Any]:
    """An event's fields, with each text shortened to its greatest length."""
    limits = {"message": LONGEST_MESSAGE, "exc_info": LONGEST_TRACEBACK}
    return {
        name: _cut(value, limits.get(name, LONGEST_FIELD)) if isinstance(value, str) else value
        for name, value in fields.items()
    }


def _cut(text: str, longest: int) -> str:
    if longest == LONGEST_TRACEBACK:
        return _middle_cut(text)
    return text if len(text) <= longest else f"{text[:longest]}... ({len(text) - longest} more characters)"


def _middle_cut(traceback: str) -> str:
    """Cuts the middle of a long traceback, because the first and last lines are the most useful."""
    if len(traceback) <= LONGEST_TRACEBACK:
        return traceback
    half = LONGEST_TRACEBACK // 2
    return f"{traceback[:half]}\n... ({len(traceback) - 2 * half} more characters)\n{traceback[-half:]}"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {on_one_line(str(key), LONGEST_FIELD): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return _UNSAFE.sub(_escape, str(value)) if not isinstance(value, bool | float | None) else value


def _escape(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}" if found[0] not in "\n\r\t" else {"\n": "\\n", "\r": "\\r", "\t": "\\t"}[found[0]]
