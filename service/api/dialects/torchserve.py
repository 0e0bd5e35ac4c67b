"""TorchServe's inference API, with the answers of its handler ``image_classifier``.

Sources: pytorch/serve, docs/inference_api.md, ts/torch_handler/vision_handler.py and image_classifier.py (the fields
``data`` and ``body``, the five most probable labels), request_envelope/json.py (``instances`` and ``predictions``).
"""

import re
from http import HTTPStatus
from typing import Any

import orjson
from pydantic import BaseModel, Field

from service.api.dialects.content import kind_of
from service.api.dialects.dialect import Dialect, DialectRequest, Question
from service.api.dialects.documents import (
    JSON,
    Document,
    Ranked,
    each,
    only,
    read_document,
    reject_others,
    reply,
)
from service.api.dialects.instances import INSTANCES, numbers_keys, read_rows
from service.api.dialects.missing import REQUESTS
from service.api.dialects.ping import ping_router
from service.api.forms import read_files
from service.api.operation import BINARY, PICTURE_BODIES, Operation, json_answer
from service.api.problems import LONGEST_DETAIL, Explanation, shorten
from service.api.schemas import PIXEL
from service.classifier import Classification
from service.decoding import LongText, Upload, read_base64
from service.errors import MalformedRequestError
from service.http.asgi import Reply

_TAG = "dialect: TorchServe"
_TOP_K = 5
_FIELDS = ("data", "body")
_RIGHT = (
    "send the picture itself (curl -T cat.png), a form with parts named `data` (curl -F data=@cat.png), "
    'or the JSON {"instances": [{"b64": "<base64>"}, ...]}'
)
_VERSION_OF_ARCHIVE = re.compile(r"([0-9]+)(\.0)+")
_KINDS = {
    HTTPStatus.UNAUTHORIZED: "InvalidKeyException",
    HTTPStatus.FORBIDDEN: "InvalidKeyException",
    HTTPStatus.NOT_FOUND: "ModelNotFoundException",
    HTTPStatus.METHOD_NOT_ALLOWED: "MethodNotAllowedException",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "RequestEntityTooLargeException",
    HTTPStatus.SERVICE_UNAVAILABLE: "ServiceUnavailableException",
}


def read(request: DialectRequest) -> Question:
    """Reads a request: a picture, a form with one or several, or JSON."""
    steps = request.steps
    model, version = steps["name"], steps.get("version")
    if version is not None and (archived := _VERSION_OF_ARCHIVE.fullmatch(version)) is not None:
        version = archived[1]  # version 1.0 of an archive is version 1 here
    kind = kind_of(request, _RIGHT)
    if kind == "form":
        content_type = request.headers[b"content-type"]
        uploads = read_files(request.body, content_type, request.max_images, _FIELDS)
        return Question(uploads, _write_one if len(uploads) == 1 else _write_several, model, version)
    if kind == "json":
        return _read_json(request, model, version)
    return Question([Upload(request.body)], _write_one, model, version)


def _read_json(request: DialectRequest, model: str, version: str | None) -> Question:
    document = read_document(request.body, request.max_images, _RIGHT, numbers_keys(request.body))
    reject_others(document, ("instances", *_FIELDS), "member")
    if len(document) != 1:
        raise MalformedRequestError(f"the JSON is not of the right form; {_RIGHT}")
    name, value = next(iter(document.items()))
    if name == "instances":
        return Question(read_rows(value, name, request.max_images), _write_predictions, model, version)
    if not isinstance(value, str | LongText):
        raise MalformedRequestError(f"`{name}` must be a picture in base64; {_RIGHT}")
    return Question(read_base64([value]), _write_one, model, version)


def _write_one(result: Classification) -> Reply:
    return reply(only(result, _tell, _TOP_K))


def _write_several(result: Classification) -> Reply:
    return reply(each(result, _tell, _TOP_K))


def _write_predictions(result: Classification) -> Reply:
    return reply({"predictions": each(result, _tell, _TOP_K)})


def _tell(ranked: Ranked) -> dict[str, Any]:
    return dict(ranked)


class TorchServeError(BaseModel):
    """TorchServe's error document."""

    code: int = Field(examples=[404])
    type: str = Field(examples=["ModelNotFoundException"])
    message: str = Field(description="What is wrong and what is allowed.", examples=["no model 'cat' is served"])


def _tell_error(explanation: Explanation) -> Reply:
    status, detail, headers = explanation
    other = "InternalServerException" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "BadRequestException"
    document = {
        "code": status.value,
        "type": _KINDS.get(status, other),
        "message": shorten(detail, LONGEST_DETAIL),
    }
    return Reply(status.value, orjson.dumps(document), JSON, headers)


_PARTS: Document = {"type": "array", "items": BINARY, "minItems": 1}
_FORM: Document = {
    "type": "object",
    "minProperties": 1,
    "additionalProperties": False,
    "properties": {"data": _PARTS, "body": _PARTS},
}
_TEXT: Document = {"type": "string", "format": "byte", "minLength": 1}
_BODY: Document = {
    "type": "object",
    "minProperties": 1,
    "maxProperties": 1,
    "additionalProperties": False,
    "properties": {"instances": INSTANCES, "data": _TEXT, "body": _TEXT},
    "examples": [{"instances": [{"b64": PIXEL}]}, {"data": PIXEL}],
}
_LABELS: Document = {
    "type": "object",
    "additionalProperties": {"type": "number"},
    "example": {"cat": 0.9655014, "dog": 0.03247791},
}
_LIST: Document = {"type": "array", "items": _LABELS}
_PREDICTIONS: Document = {"type": "object", "required": ["predictions"], "properties": {"predictions": _LIST}}
_DESCRIPTION = """\
The five most probable labels with their probabilities, the highest first. Several parts of a form get a list,
`{"instances": [...]}` gets `{"predictions": [...]}`."""


def _operation(path: str, operation_id: str, summary: str) -> Operation:
    return Operation(
        path,
        operation_id,
        summary,
        _DESCRIPTION,
        tag=_TAG,
        body={
            "required": True,
            "content": {
                **PICTURE_BODIES,
                "multipart/form-data": {"schema": _FORM},
                "application/json": {"schema": _BODY},
            },
        },
        answer=json_answer("The most probable labels.", {"anyOf": [_LABELS, _LIST, _PREDICTIONS]}),
        methods=("POST", "PUT"),
    )


TORCHSERVE = Dialect(
    name="torchserve",
    tag=_TAG,
    own=REQUESTS["torchserve"],
    tell=_tell_error,
    error=TorchServeError,
    operations=(
        (_operation("/predictions/{name}", "torchserve_predict", "Classify pictures with a model"), read),
        (
            _operation(
                "/predictions/{name}/{version}",
                "torchserve_predict_with_version",
                "Classify pictures with a version of a model",
            ),
            read,
        ),
    ),
    router=ping_router(_TAG),
)
