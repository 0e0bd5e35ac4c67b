"""What a client may send to ``/predict``: four kinds of body, each turned into pictures or pixels."""

from collections.abc import Callable

import orjson
from multipart import MultipartError, MultipartSegment, ParserLimitReached, PushMultipartParser, parse_options_header

from service.classifier import Images
from service.decoding import Target, Upload, read_base64, read_images
from service.errors import (
    MalformedRequestError,
    TooLargeError,
    UnsupportedMediaTypeError,
)

FILE_FIELD = "file"
ACCEPTED = (
    "multipart/form-data with `file` parts, one image as image/* or application/octet-stream, "
    'JSON {"images": ["<base64>", ...]}, or uint8 [N, H, W, C] as application/x-npy'
)


def parse_body(body: bytes, content_type: bytes, target: Target, max_images: int) -> Images:
    """Takes the pictures out of a body.

    Args:
        body: whole.
        content_type: the header's value; may be empty.
        target: what the model wants, for bulk pixels.
        max_images: most pictures allowed.

    Returns:
        Files to decode, or pixels uint8 [N, H, W, C].

    Raises:
        UnsupportedMediaTypeError: none of the four kinds.
        MalformedRequestError: not well-formed for its kind.
        InvalidImagesError: there are none, or they cannot be used.
        TooLargeError: more than ``max_images``.
    """
    if content_type in _COMMON_TYPES:
        return [Upload(body)]
    media_type = content_type.partition(b";")[0].strip().lower()
    if media_type.startswith(b"image/") or media_type == b"application/octet-stream":
        return [Upload(body)]
    reader = _READERS.get(media_type)
    if reader is None:
        said = f"{content_type[:80].decode('latin-1')!r} is not accepted" if content_type else "Content-Type is missing"
        raise UnsupportedMediaTypeError(f"{said}; send {ACCEPTED}")
    images = reader(body, content_type, target)
    if len(images) > max_images:
        raise TooLargeError(f"{len(images)} images in one request; at most {max_images} are allowed")
    return images


def _multipart(body: bytes, content_type: bytes, _target: Target) -> Images:
    boundary = parse_options_header(content_type.decode("latin-1"))[1].get("boundary")
    if not boundary:
        raise MalformedRequestError("multipart/form-data without a boundary parameter")
    uploads: list[Upload] = []
    others: set[str] = set()
    part: MultipartSegment | None = None
    chunks: list[bytes] = []
    try:
        with PushMultipartParser(boundary, max_segment_count=_MAX_PARTS) as parser:
            for event in parser.parse(body):
                if event is None:
                    if part is not None and part.name == FILE_FIELD:
                        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
                        uploads.append(Upload(bytes(data), part.filename))
                    elif part is not None:
                        others.add(str(part.name)[:64])
                elif isinstance(event, MultipartSegment):
                    part, chunks = event, []
                else:
                    chunks.append(event)
    except ParserLimitReached as error:
        raise TooLargeError(f"multipart/form-data is over a limit: {error}") from error
    except MultipartError as error:
        raise MalformedRequestError(f"multipart/form-data is broken: {error}") from error
    if not uploads:
        seen = f"; it has {', '.join(sorted(others)[:8])}" if others else ""
        raise MalformedRequestError(f"the form has no part named `{FILE_FIELD}`{seen}")
    return uploads


def _json(body: bytes, _content_type: bytes, _target: Target) -> Images:
    try:
        document = orjson.loads(body)
    except ValueError as error:
        raise MalformedRequestError(f"the body is not JSON: {error}") from error
    images = document.get("images") if isinstance(document, dict) else None
    if not isinstance(images, list) or not images or not all(isinstance(image, str) for image in images):
        raise MalformedRequestError('the JSON must be {"images": ["<base64>", ...]} with one string or more')
    return read_base64(images)


def _npy(body: bytes, _content_type: bytes, target: Target) -> Images:
    return read_images(body, target)


_MAX_PARTS = 4096
_COMMON_TYPES = frozenset((b"image/png", b"image/jpeg", b"application/octet-stream"))
_READERS: dict[bytes, Callable[[bytes, bytes, Target], Images]] = {
    b"multipart/form-data": _multipart,
    b"application/json": _json,
    b"application/x-npy": _npy,
}
