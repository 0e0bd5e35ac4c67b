"""Reads the bodies of ``/predict`` for hosts that pass on any body: SageMaker, and Vertex AI's raw predictions."""

from collections.abc import Iterator, Sequence

import orjson

from service.api.accept import choose_media_type
from service.api.answers import JSON, MEDIA_TYPES, answer
from service.api.bodies import parse_body
from service.api.dialects.content import media_type_of
from service.api.dialects.dialect import DialectRequest, Question
from service.api.dialects.documents import read_document
from service.api.dialects.instances import read_rows
from service.api.json_writing import STEP_NUMBERS
from service.api.operation import reference
from service.api.parameters import Parameters, merge
from service.api.schemas import EncodedImages
from service.classifier import Classification
from service.decoding import BYTE_ORDER_MARK, Upload
from service.errors import MalformedRequestError, TooLargeError
from service.http.asgi import Reply

JSON_LINES = b"application/jsonlines"
_JSON_LINES_TYPES = ("application/jsonlines", "application/jsonl", "application/x-jsonlines", "application/x-ndjson")
_PICTURE_TYPES = ("application/x-image",)  # for any picture, in SageMaker's own image classification
OWN_JSON = {"allOf": [reference(EncodedImages), {"properties": {"on_error": {"type": "null"}}}]}
"""OpenAPI's schema of the JSON that ``/predict`` takes, without ``on_error``, which works only there."""
_OTHER_LINES = 16
_NO_REPORT = "on_error works with /predict only; leave it out"
_RIGHT_LINE = 'each line must be a picture as JSON, {"b64": "<base64>"} or numbers [H, W, C], and all of one kind'
_LINE_BEGINS = (b'"', b"{", b"[")


def read_own(request: DialectRequest, parameters: Parameters) -> Question:
    """Reads a body as ``/predict`` does.

    Args:
        request: with its body.
        parameters: from other parts of the request.
    """
    accepted = choose_media_type(request.headers.get(b"accept", b""), (*MEDIA_TYPES, JSON_LINES))
    content_type = request.headers.get(b"content-type", b"")
    if media_type_of(request) in _PICTURE_TYPES:
        content_type = b"application/octet-stream"
    body = parse_body(request.body, content_type, request.max_images)
    merged = merge((("custom attributes", parameters), ("body", body.parameters)))
    if merged.on_error is not None:
        raise MalformedRequestError(_NO_REPORT)
    uploads, filenames = body.uploads, body.filenames()
    if merged.ask_decisions() and accepted != JSON and (accepted != JSON_LINES or isinstance(uploads, bytes)):
        raise MalformedRequestError(f"decisions need an answer in JSON; Accept asks for {accepted.decode()}")

    def write(result: Classification) -> Reply:
        if accepted == JSON_LINES:
            return _write_lines(result, merged, uploads, filenames)
        return answer(result, accepted, merged, filenames, uploads=uploads)._replace(headers=[])

    return Question(uploads, write, merged.model, merged.version, parameters=merged)


def is_json_lines(request: DialectRequest) -> bool:
    """Whether a body has a JSON value in each line."""
    return media_type_of(request) in _JSON_LINES_TYPES


def read_lines(request: DialectRequest, parameters: Parameters) -> Question:
    """Reads a picture in each line; the answer has a prediction in each line.

    Args:
        request: with its body.
        parameters: from other parts of the request.
    """
    accepted = choose_media_type(request.headers.get(b"accept", b""), (JSON_LINES, JSON))
    lines = _lines(request.body.removeprefix(BYTE_ORDER_MARK), request.max_images)
    for line in lines:
        if not line.lstrip().startswith(_LINE_BEGINS):
            begin = line.lstrip()[:16].decode("ascii", "replace")
            raise MalformedRequestError(f"a line begins with {begin!r}, which is not JSON; {_RIGHT_LINE}")
    joined = b'{"lines":[%b]}' % b",".join(lines)
    document = read_document(joined, request.max_images, _RIGHT_LINE, ("lines",))
    if not lines or len(document) != 1:
        raise MalformedRequestError(_RIGHT_LINE)
    if parameters.on_error is not None:
        raise MalformedRequestError(_NO_REPORT)
    try:
        pictures = read_rows(document["lines"], "lines", request.max_images)
    except MalformedRequestError:  # its message names the member `lines`, which the client has not sent
        raise MalformedRequestError(_RIGHT_LINE) from None
    uploads = [picture for picture in pictures if isinstance(picture, Upload)]
    if parameters.receipt and not uploads:
        raise MalformedRequestError('receipt needs pictures as files, {"b64": "<base64>"}; leave it out')

    def write(result: Classification) -> Reply:
        if len(result.probabilities) != len(lines):
            raise MalformedRequestError(_RIGHT_LINE)
        if accepted == JSON:
            return answer(result, JSON, parameters, uploads=uploads)._replace(headers=[])
        return _write_lines(result, parameters, uploads)

    return Question(pictures, write, parameters.model, parameters.version, parameters=parameters)


def _lines(text: bytes, max_images: int) -> list[bytes]:
    """The lines that are not blank.

    Raises:
        TooLargeError: there are more lines than pictures are allowed.
    """
    lines: list[bytes] = []
    if text.count(b"\n") <= 2 * max_images + _OTHER_LINES:  # a blank one may follow each
        lines = [line for line in text.split(b"\n") if line.strip()]
        if len(lines) <= max_images:
            return lines
    told = f"{len(lines)} images" if lines else "too many lines"
    raise TooLargeError(f"{told} in one request; at most {max_images} images are allowed, each in a line")


def _write_lines(
    result: Classification,
    parameters: Parameters,
    uploads: Sequence[Upload] | bytes = b"",
    filenames: Sequence[str | None] | None = None,
) -> Reply:
    """One prediction of ``/predict`` in each line."""
    step = max(1, STEP_NUMBERS // result.probabilities.shape[1])

    def lines() -> Iterator[bytes]:
        for at in range(0, len(result.probabilities), step):
            part = result.part(at, at + step)
            names = None if filenames is None else filenames[at : at + step]
            sent = uploads if isinstance(uploads, bytes) else uploads[at : at + step]
            for prediction in orjson.loads(answer(part, JSON, parameters, names, uploads=sent).body)["predictions"]:
                yield orjson.dumps(prediction) + b"\n"

    return Reply(200, b"".join(lines()), JSON_LINES, [])
