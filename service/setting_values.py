"""Reads and checks the values of single settings; :mod:`service.settings` checks several of them together."""

import json
import re
from typing import Final

from contract import NAME_RULE, is_model_name

_ORIGIN: Final = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<host>[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{1,5}))?"
)
_MOST_PORT: Final = 65535
_USUAL_PORTS: Final = {"http": "80", "https": "443"}


def split_list(value: object) -> object:
    """Takes a list as JSON, or as text with commas between its elements.

    Raises:
        ValueError: it begins like JSON, but is not.
    """
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        try:
            return json.loads(value)
        except ValueError:
            raise ValueError("it is not a JSON list; elements separated by commas are allowed too") from None
    return [element.strip() for element in value.split(",") if element.strip()]


def check_alias(alias: str) -> str:
    """Returns the second name of a model.

    Raises:
        ValueError: no model may have this name; the message says which names are valid.
    """
    if not is_model_name(alias):
        raise ValueError(f"it is not a valid model name; a valid one is {NAME_RULE}")
    return alias


def check_path(value: object) -> object:
    """Refuses an empty path, which would be the current folder.

    Raises:
        ValueError: it is empty.
    """
    if value == "":
        raise ValueError("it names no file or folder; to do without one, remove this setting")
    return value


def check_origin(text: str) -> str:
    """Returns an origin as browsers send it: in lower case, without a slash at the end and without a usual port.

    ``*`` is any origin, and ``null`` that of files and of sandboxed frames.

    Raises:
        ValueError: no browser sends such an origin; the message says what is allowed.
    """
    if text in ("*", "null"):
        return text
    found = _ORIGIN.fullmatch(text.lower().removesuffix("/"))
    if found is None or int(found["port"] or 0) > _MOST_PORT:
        raise ValueError("an origin must be like https://example.org or http://localhost:3000, without a path, or *")
    scheme, host, port = found.group("scheme", "host", "port")
    return f"{scheme}://{host}" if port in (None, _USUAL_PORTS.get(scheme)) else f"{scheme}://{host}:{port}"
