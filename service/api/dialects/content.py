"""Finds the kind of a request's body by its content type or, where there is none, by its first bytes."""

from typing import Final, Literal

from service.api.dialects.dialect import DialectRequest
from service.errors import UnsupportedMediaTypeError

Kind = Literal["form", "json", "picture"]

_UNSAID: Final = ("", "application/x-www-form-urlencoded")  # the second is curl's default for every body
_PICTURES: Final = ("application/octet-stream", "binary/octet-stream", "application/x-image", *_UNSAID)


def kind_of(request: DialectRequest, right: str) -> Kind:
    """The kind of a body.

    Args:
        request: with its headers and body.
        right: what is allowed, for the error message.

    Raises:
        UnsupportedMediaTypeError: another content type.
    """
    media_type = media_type_of(request)
    if media_type == "application/json" or (media_type in _UNSAID and request.body[:64].lstrip()[:1] == b"{"):
        return "json"
    if media_type == "multipart/form-data":
        return "form"
    if media_type in _PICTURES or media_type.startswith("image/"):
        return "picture"
    raise UnsupportedMediaTypeError(f"{media_type[:80]!r} is not accepted; {right}")


def media_type_of(request: DialectRequest) -> str:
    """The content type, without its parameters; empty where there is none."""
    return request.header(b"content-type")[:1024].partition(";")[0].strip().lower()
