"""Reads the pictures and parameters of a form (``multipart/form-data``).

Sources: RFC 7578 (the form), RFC 5987 (``filename*``), and forms of real clients that differ from both.
"""

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from multipart import MultipartError, MultipartSegment, ParserLimitReached, PushMultipartParser, parse_options_header

from service.api.parameters import NO_PARAMETERS, Parameters, read_values
from service.api.plain_form import read_plain_form
from service.decoding import Upload
from service.errors import MalformedRequestError, TooLargeError

FILE_FIELD = "file"
MOST_FILENAME_CHARACTERS = 128

# Parts that are not pictures: parameters, unknown fields, and file inputs that were left blank.
_OTHER_PARTS = 16
_MOST_FIELD_BYTES = 1024
# The parser searches a whole step for the boundary in one call, which takes 4 ns a byte on a malicious body.
_STEP_BYTES = 1 << 20
_LEAST_LAST_STEP_BYTES = 65_536
_EXTENDED_FILENAME = re.compile(r";\s*filename\*\s*=\s*\"?([A-Za-z0-9_-]{1,32})'[^']{0,32}'([^;\s\"]+)", re.IGNORECASE)


_REASONS: Mapping[str, str] = MappingProxyType(
    {
        "Boundary not found in first chunk": "it does not begin with the boundary that Content-Type names",
        "Unexpected end of multipart stream (parser closed)": "it ends before its last boundary",
        "Invalid line break after first boundary": "its lines do not end with CR and LF",
    }
)
_REMEDY = "let the HTTP library write both the body and its Content-Type"


class Form(NamedTuple):
    """The content of a form.

    Attributes:
        uploads: the pictures, in the order sent; file inputs that were left blank are not among them.
        parameters: the other fields.
    """

    uploads: list[Upload]
    parameters: Parameters


def read_form(body: bytes, content_type: bytes, max_images: int, names: Sequence[str] = Parameters._fields) -> Form:
    """Parses a form.

    Args:
        body: the whole body.
        content_type: the header's value, which names the boundary.
        max_images: most pictures allowed.
        names: of the parameters that may be fields.

    Raises:
        MalformedRequestError: not a form, a field that is not known or is given twice, or no picture.
        TooLargeError: more parts than ``max_images`` pictures need, or headers or fields that are too long.
    """
    if (upload := read_plain_form(body, content_type)) is not None:
        return Form([upload], NO_PARAMETERS)
    uploads: list[Upload] = []
    fields: dict[str, str | None] = {}
    unknown: list[str] = []
    blank_inputs = 0
    for part, data in _parts(body, _boundary(content_type), max_images + _OTHER_PARTS):
        name = _as_utf8(part.name or "")
        if name == FILE_FIELD and part.filename == "" and not data:
            blank_inputs += 1
        elif name == FILE_FIELD:
            uploads.append(Upload(data, _filename(part)))
        elif name in fields:
            raise MalformedRequestError(f"the form's field `{name}` is given twice")
        elif name in names:
            fields[name] = _field(name, data) or None  # None: an input of a web page that was left blank
        else:
            unknown.append(name[:64])
    if not uploads and blank_inputs:
        raise MalformedRequestError(f"the form's input `{FILE_FIELD}` was left empty; choose a picture")
    if not uploads:
        seen = f"; it has {', '.join(unknown[:8])}" if unknown else ""
        raise MalformedRequestError(f"the form has no part named `{FILE_FIELD}`{seen}")
    if unknown:
        raise MalformedRequestError(f"unknown form field {unknown[0]!r}; known: {', '.join((FILE_FIELD, *names))}")
    return Form(uploads, read_values(fields) if fields else NO_PARAMETERS)


def read_files(body: bytes, content_type: bytes, max_images: int, fields: Sequence[str]) -> list[Upload]:
    """Parses a form that holds nothing but pictures.

    Args:
        body: whole.
        content_type: the header's value, which names the boundary.
        max_images: most pictures allowed.
        fields: the names that the parts of pictures may have.

    Returns:
        One picture or more, in the order sent.

    Raises:
        MalformedRequestError: not a form, a field that is not known, or no picture.
        TooLargeError: more parts than ``max_images`` pictures need, or headers that are too long.
    """
    uploads: list[Upload] = []
    for part, data in _parts(body, _boundary(content_type), max_images + _OTHER_PARTS):
        name = _as_utf8(part.name or "")
        if name not in fields:
            raise MalformedRequestError(f"unknown form field {name[:64]!r}; known: {', '.join(fields)}")
        uploads.append(Upload(data, _filename(part)))
    if not uploads:
        raise MalformedRequestError(f"the form has no part named `{'` or `'.join(fields)}`")
    return uploads


def _boundary(content_type: bytes) -> bytes:
    boundary: str | None = parse_options_header(content_type.decode("latin-1"))[1].get("boundary")
    if not boundary:
        raise MalformedRequestError("multipart/form-data without a boundary parameter")
    return boundary.encode("latin-1")


def _parts(body: bytes, boundary: bytes, most_parts: int) -> Iterator[tuple[MultipartSegment, bytes]]:
    """The headers and the data of each part. Headers are decoded as Latin-1, in which any byte is a character."""
    part: MultipartSegment | None = None
    data = io.BytesIO()  # getvalue() copies nothing; a copy would hold Python's global lock
    try:
        # Without `strict`, a header in many lines takes time that grows with the square of its length.
        with PushMultipartParser(
            boundary, max_segment_count=most_parts, header_charset="latin-1", strict=True
        ) as parser:
            for step in _steps(body):
                for event in parser.parse(step):
                    if isinstance(event, MultipartSegment):
                        part, data = event, io.BytesIO()
                    elif event is not None:
                        data.write(event)
                    elif part is not None:
                        yield part, data.getvalue()
    except ParserLimitReached as error:
        raise TooLargeError(
            f"the form is over a limit: {error.args[0]} ({most_parts} parts, {parser.max_header_count} headers of "
            f"{parser.max_header_size} bytes each)"
        ) from None
    except MultipartError as error:
        reason = _REASONS.get(error.args[0], error.args[0])
        raise MalformedRequestError(f"multipart/form-data is broken: {reason}; {_REMEDY}") from None


def _steps(body: bytes) -> Iterator[bytes]:
    """Cuts a body into steps for the parser. The parser accepts bytes after the last boundary in the last step only."""
    start = 0
    while len(body) - start > _STEP_BYTES + _LEAST_LAST_STEP_BYTES:
        yield body[start : start + _STEP_BYTES]
        start += _STEP_BYTES
    yield body[start:] if start else body


def _field(name: str, data: bytes) -> str:
    if len(data) > _MOST_FIELD_BYTES:
        raise TooLargeError(f"the form's field `{name}` has {len(data)} bytes; at most {_MOST_FIELD_BYTES} are allowed")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise MalformedRequestError(f"the form's field `{name}` is not UTF-8 text") from None


def _filename(part: MultipartSegment) -> str | None:
    """The file's name, unchecked, since it is only repeated in answers. ``filename*`` has priority (RFC 6266)."""
    filename = part.filename
    disposition = next((value for key, value in part.headerlist if key == "Content-Disposition"), "")
    if "*" in disposition and (extended := _EXTENDED_FILENAME.search(disposition)):
        charset, text = extended.groups()
        data = unquote_to_bytes(text)
        filename = data.decode("latin-1") if charset.lower() == "iso-8859-1" else data.decode(errors="replace")
    elif filename is not None:
        filename = _as_utf8(filename)
    return None if filename is None else filename[:MOST_FILENAME_CHARACTERS]


def _as_utf8(text: str) -> str:
    """Corrects text that was decoded as Latin-1: decodes it as UTF-8 where its bytes are valid UTF-8."""
    if text.isascii():
        return text
    try:
        return text.encode("latin-1").decode()
    except UnicodeDecodeError:
        return text
