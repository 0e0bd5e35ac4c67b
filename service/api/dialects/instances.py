"""Reads pictures in lists of instances, as TF Serving, KServe and Vertex AI accept them.

::

    {"instances": [{"b64": "..."}, ...]}             files
    {"instances": [{"image": {"b64": "..."}}, ...]}  files, each under the name of an input; any name
    {"instances": [[[[0, 255, ...]]], ...]}          numbers, [N, H, W, C]
    {"instances": [{"image": [[[0, ...]]]}, ...]}    numbers, each [H, W, C]
"""

import re
from typing import Any

from service.api.dialects.dialect import PixelList
from service.decoding import LongText, NumberList, Upload, read_base64
from service.errors import MalformedRequestError
from service.limits import check_count

_FIRST_BYTES = 4096
_INPUT_NAME = re.compile(
    rb"\"(?:instances|inputs|examples)\"\s{0,64}:\s{0,64}\[?\s{0,64}\{\s{0,64}\"((?:[^\"\\]|\\.){1,1024})\""
)
_PICTURE = 'a picture as {"b64": "<base64>"}, or as numbers [H, W, C]'

_BASE64: dict[str, Any] = {"type": "string", "format": "byte", "minLength": 1}
_FILE: dict[str, Any] = {
    "type": "object",
    "required": ["b64"],
    "additionalProperties": False,
    "properties": {"b64": _BASE64},
}


def _list_of(item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "minItems": 1, "items": item}


def _named(value: dict[str, Any]) -> dict[str, Any]:
    """Schema of an object that has the value under any name of an input."""
    return {"type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": value}


_BYTE: dict[str, Any] = {"type": "integer", "minimum": 0, "maximum": 255}
_PIXELS: dict[str, Any] = {
    **_list_of(_list_of({"anyOf": [_BYTE, _list_of(_BYTE)]})),
    "description": "[H, W, C] as the model takes it; grey pictures may leave out the last axis.",
}
_FILES = _list_of({"anyOf": [_FILE, _BASE64, _named({"anyOf": [_FILE, _BASE64]})]})
_NAMED_PIXELS = _list_of(_named(_PIXELS))

INSTANCES: dict[str, Any] = {"anyOf": [_FILES, _list_of(_PIXELS), _NAMED_PIXELS]}
"""OpenAPI's schema of a list of instances."""
EXAMPLES: dict[str, Any] = {"anyOf": [_FILES, _NAMED_PIXELS]}
"""The same for TF Serving's ``:classify``, where numbers need a name."""
ROWS: dict[str, Any] = {"type": "array", "items": {"type": "array", "items": {"type": "number"}}}
"""OpenAPI's schema of a row of probabilities for each instance."""
PREDICTIONS: dict[str, Any] = {"type": "object", "required": ["predictions"], "properties": {"predictions": ROWS}}
"""OpenAPI's schema of the answer to ``instances``."""
COLUMN: dict[str, Any] = {"anyOf": [INSTANCES, _named({"anyOf": [_FILES, _list_of(_PIXELS)]})]}
"""The same for all pictures of an input."""

Pictures = list[Upload] | list[PixelList]


def numbers_keys(body: bytes) -> tuple[str, ...]:
    """The members of a body that may contain lists of numbers, including the client's name of the input, as written."""
    found = _INPUT_NAME.search(body[:_FIRST_BYTES])
    named = () if found is None else (found[1].decode(errors="replace"),)
    return tuple(dict.fromkeys(("instances", "inputs", *named)))


def read_rows(value: Any, what: str, max_images: int) -> Pictures:
    """Reads a list with one picture in each element.

    Args:
        value: of the member.
        what: its name.
        max_images: most pictures allowed.

    Raises:
        MalformedRequestError: another form; the message says what is allowed.
        InvalidImagesError: some texts are not base64.
        TooLargeError: more than ``max_images``.
    """
    if isinstance(value, NumberList):
        return [PixelList(value, is_batch=True)]
    if not isinstance(value, list) or not value:
        raise MalformedRequestError(f"`{what}` must be a list with {_PICTURE}, in each element")
    check_count(len(value), max_images)
    elements = [_open(element, what) for element in value]
    texts = [element for element in elements if not isinstance(element, NumberList)]
    if len(texts) == len(elements):
        return read_base64(texts)
    if texts:
        raise MalformedRequestError(f"`{what}` has files and lists of numbers; send one kind in a request")
    return [PixelList(element, is_batch=False) for element in elements if isinstance(element, NumberList)]


def read_column(value: Any, what: str, max_images: int) -> Pictures:
    """Reads all pictures of an input: the list itself, or an object that has it under the input's name.

    Args:
        value: of the member.
        what: its name.
        max_images: most pictures allowed.

    Raises:
        MalformedRequestError: another form; the message says what is allowed.
        InvalidImagesError: some texts are not base64.
        TooLargeError: more than ``max_images``.
    """
    if isinstance(value, dict):
        if len(value) != 1:
            raise MalformedRequestError(f"`{what}` must have one input, since the model has one: image")
        value = next(iter(value.values()))
    return read_rows(value, what, max_images)


def _only_member(element: dict[str, Any], what: str) -> Any:
    if len(element) != 1:
        names = ", ".join(str(name)[:32] for name in list(element)[:8]) or "none"
        raise MalformedRequestError(f"each of `{what}` must be {_PICTURE}; one has the members {names}")
    return next(iter(element.values()))


def _open(element: Any, what: str) -> str | LongText | NumberList:
    """The content of one element: base64 or numbers."""
    if isinstance(element, dict):
        element = _only_member(element, what)
        if isinstance(element, dict):  # {"image": {"b64": "..."}}
            _only_member(element, what)
            element = element.get("b64")
    if not isinstance(element, str | LongText | NumberList):
        raise MalformedRequestError(f"each of `{what}` must be {_PICTURE}, all in one form")
    return element
