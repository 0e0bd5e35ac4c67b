"""Reads the body of ``/predict``, which has four kinds: into pictures or pixels, and parameters."""

from collections.abc import Sequence
from typing import NamedTuple

from service.api.forms import read_form
from service.api.parameters import NO_PARAMETERS, Parameters, read_values
from service.classifier import Images
from service.decoding import BoundedJson, LongText, Target, Upload, read_each_base64, read_images
from service.errors import (
    ImageFault,
    InvalidImagesError,
    MalformedRequestError,
    TooLargeError,
    UnsupportedMediaTypeError,
)
from service.limits import check_count

ACCEPTED = (
    "multipart/form-data with `file` parts, one image as image/* or application/octet-stream, "
    'JSON {"images": ["<base64>", ...]}, or uint8 [N, H, W, C] as application/x-npy'
)
LOOP_BYTES = 262_144
"""Longer forms and JSON bodies are parsed in a thread."""


class Body(NamedTuple):
    """The content of a body.

    Attributes:
        uploads: its pictures, or the whole .npy file, which is read once the model is known.
        parameters: the fields of the form or the members of the JSON that are not pictures.
        faults: pictures that are not in ``uploads`` because their base64 is not valid, by index among all pictures;
            empty unless the request asks for a report.
    """

    uploads: list[Upload] | bytes
    parameters: Parameters = NO_PARAMETERS
    faults: tuple[ImageFault, ...] = ()

    def filenames(self) -> list[str | None] | None:
        """The name of each picture; None where none has one."""
        if isinstance(self.uploads, bytes) or (len(self.uploads) == 1 and self.uploads[0].filename is None):
            return None
        names = [upload.filename for upload in self.uploads]
        return names if any(names) else None

    def images(self, target: Target, max_images: int) -> Images:
        """The pictures to decode, or pixels uint8 [N, H, W, C].

        Args:
            target: the input that the model needs.
            max_images: most pictures allowed.

        Raises:
            MalformedRequestError: not an .npy file.
            InvalidImagesError: its array cannot be used.
            TooLargeError: more than ``max_images``.
        """
        images = read_images(self.uploads, target) if isinstance(self.uploads, bytes) else self.uploads
        check_count(len(images), max_images)
        return images


def takes_long(body: bytes, content_type: bytes) -> bool:
    """Whether parsing a body would block the event loop for more than a few milliseconds."""
    return len(body) > LOOP_BYTES and _media_type(content_type) in (_FORM, _JSON)


def parse_body(
    body: bytes,
    content_type: bytes,
    max_images: int,
    query: Parameters = NO_PARAMETERS,
    names: Sequence[str] = Parameters._fields,
) -> Body:
    """Takes the pictures out of a body.

    Args:
        body: the whole body.
        content_type: the header's value; empty where there is none.
        max_images: most pictures allowed; a body that can hold more is refused before it is parsed.
        query: the parameters of the query; ``on_error`` decides whether bad pictures are reported.
        names: of the parameters that the endpoint has.

    Raises:
        UnsupportedMediaTypeError: none of the four kinds.
        MalformedRequestError: not well-formed for its kind.
        InvalidImagesError: there are none, or they cannot be used.
        TooLargeError: more than ``max_images``.
    """
    if content_type in _COMMON_TYPES:
        return Body([Upload(body)])
    if len(content_type) > _MOST_TYPE_BYTES:
        raise UnsupportedMediaTypeError(
            f"Content-Type has {len(content_type)} bytes; at most {_MOST_TYPE_BYTES} are allowed"
        )
    media_type = _media_type(content_type)
    if media_type.startswith(b"image/") or media_type in _COMMON_TYPES:
        return Body([Upload(body)])
    if media_type == _FORM:
        return Body(*read_form(body, content_type, max_images, names))
    if media_type == _JSON:
        return _read_json(body, max_images, query, ("images", *names))
    if media_type == _NPY:
        return Body(body)
    if not media_type:
        return Body([_guess_picture(body)])
    if media_type == b"application/x-www-form-urlencoded":
        raise UnsupportedMediaTypeError(
            "application/x-www-form-urlencoded, which curl sends by default, is not accepted. Send a picture with "
            "`curl --data-binary @cat.png -H 'Content-Type: image/png'` (`-d @cat.png` would remove bytes from the "
            "file), or a form with `curl -F file=@cat.png`"
        )
    raise UnsupportedMediaTypeError(f"{content_type[:80].decode('latin-1')!r} is not accepted; send {ACCEPTED}")


def explain_mangling(error: InvalidImagesError, pictures: Sequence[object] | bytes, data: bytes) -> InvalidImagesError:
    """Adds a hint to the error of a picture, where its bytes show that ``curl -d`` damaged it.

    Args:
        error: raised by decoding.
        pictures: of the body.
        data: the whole body.
    """
    first = None if isinstance(pictures, bytes) else pictures[0]
    if (
        not isinstance(first, Upload)
        or first.data is not data
        or len(data) < _LEAST_PICTURE_BYTES
        or any(sign in data for sign in b"\n\r\0")
    ):
        return error
    hint = "; it has no line feed and no zero byte, which `curl -d` removes: send it with `curl --data-binary`"
    return InvalidImagesError([ImageFault(fault.index, fault.filename, fault.reason + hint) for fault in error.faults])


def _media_type(content_type: bytes) -> bytes:
    return content_type.partition(b";")[0].strip().lower()


def _guess_picture(body: bytes) -> Upload:
    """Treats a body without a Content-Type as a picture, unless its first bytes are those of another kind."""
    start = body[:64].removeprefix(b"\xef\xbb\xbf").lstrip()
    for sign, kind, media_type in _SIGNS:
        if start.startswith(sign):
            raise UnsupportedMediaTypeError(
                f"Content-Type is missing, and the body looks like {kind}; send it with Content-Type: {media_type}"
            )
    return Upload(body)


def _read_json(text: bytes, max_images: int, query: Parameters, members: Sequence[str]) -> Body:
    bounded = BoundedJson(text)
    if bounded.has_more(b"[{", _OTHER_ELEMENTS):
        raise MalformedRequestError(
            f"the body is not JSON of the right form: it has over {_OTHER_ELEMENTS} lists and objects; {_RIGHT_JSON}"
        )
    # Each image may be a data URL, which contains a comma.
    if bounded.has_more(b",", 2 * max_images + _OTHER_ELEMENTS):
        raise TooLargeError(
            f"the JSON has more elements than images may be in one request; at most {max_images} are allowed"
        )
    if bounded.is_long(max_images):
        raise TooLargeError("the JSON is longer than its images need; it holds too many blanks or digits")
    document = bounded.parse()
    if not isinstance(document, dict):
        raise MalformedRequestError(_RIGHT_JSON)
    if unknown := [key for key in document if key not in members]:
        raise MalformedRequestError(f"unknown member {unknown[0][:64]!r}; known: {', '.join(members)}. {_RIGHT_JSON}")
    images = document.get("images")
    if not isinstance(images, list) or not images or not all(isinstance(image, str | LongText) for image in images):
        raise MalformedRequestError(_RIGHT_JSON)
    check_count(len(images), max_images)
    parameters = read_values(document)
    if (name := bounded.repeated_member(document)) is not None:
        raise MalformedRequestError(f"the JSON's member {name[:64]!r} is given twice")
    uploads, faults = read_each_base64(images)
    if faults and (not uploads or not (query.on_error or parameters.on_error)):
        raise InvalidImagesError(faults)
    return Body(uploads, parameters, tuple(faults))


_OTHER_ELEMENTS = 16
_MOST_TYPE_BYTES = 1024
_LEAST_PICTURE_BYTES = 200
_RIGHT_JSON = 'the JSON must be {"images": ["<base64>", ...]} with one string or more'
_FORM = b"multipart/form-data"
_JSON = b"application/json"
_NPY = b"application/x-npy"
_COMMON_TYPES = frozenset((b"image/png", b"image/jpeg", b"application/octet-stream", b"binary/octet-stream"))
_SIGNS = (
    (b"{", "JSON", "application/json"),
    (b"--", "a form", "multipart/form-data; boundary=..."),
    (b"\x93NUMPY", "an .npy file", "application/x-npy"),
)
