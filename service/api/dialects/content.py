"""What kind of body a request has, by its content type and, where that says nothing, by its first bytes."""

from typing import Final, Literal

from service.api.dialects.dialect import DialectRequest
from service.errors import UnsupportedMediaTypeError

Kind = Literal["form", "json", "picture"]

_UNSAID: Final = ("", "application/x-www-form-urlencoded")  # the second is what curl says for anything
_PICTURES: Final = ("application/octet-stream", "binary/octet-stream", "application/x-image", *_UNSAID)


def kind_of(request: DialectRequest, right: str) -> Kind:
    """The kind of a body.

    Args:
        request: that it came with.
        right: what would be right, for the message.

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
