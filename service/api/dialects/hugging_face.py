"""Hugging Face's inference API for image classification, as used by its endpoints and its clients.

Source: https://huggingface.co/docs/inference-providers/tasks/image-classification; huggingface_hub 2.4 and
@huggingface/inference 4.13 as observed: they send the file itself, or JSON where there are parameters.
"""

from typing import Any

from fastapi import Request, Response

from service.api.context import context_of
from service.api.dialects.content import kind_of
from service.api.dialects.dialect import Dialect, DialectRequest, Question
from service.api.dialects.documents import (
    Document,
    Ranked,
    each,
    only,
    read_document,
    read_object,
    reject_others,
    reply,
    tell_error,
)
from service.api.dialects.missing import REQUESTS
from service.api.dialects.ping import ping_router
from service.api.operation import NUMBER, PICTURE_BODIES, TEXT, Operation, json_answer
from service.api.parameters import read_values
from service.api.schemas import PIXEL
from service.api.v2.routes import Name, Version
from service.api.v2.schemas import InferenceError
from service.classifier import Classification
from service.declarations import declare
from service.decoding import LongText, Upload, read_base64
from service.errors import MalformedRequestError, ModelNotFoundError, UnsupportedMediaTypeError
from service.http.asgi import Reply
from service.limits import check_count
from service.models.catalog import ServedModel

_TAG = "dialect: Hugging Face"
_TOP_K = 5
_MEMBERS = ("inputs", "parameters", "options")
_PARAMETERS = ("top_k", "function_to_apply")
_RIGHT = 'send the picture itself, or the JSON {"inputs": "<base64>", "parameters": {"top_k": 3}}'

router = ping_router(_TAG, "/health", "hf_health")


@router.get("/models/{name}/health", operation_id="hf_model_health", summary="Does a model answer?")
@declare(key_scope="predict", errors=(ModelNotFoundError,))
async def model_health(request: Request, response: Response, name: Name) -> dict[str, str]:
    """Healthy; with status 503 Unhealthy, where the default version could not be loaded."""
    return _tell_health(request, response, name, None)


@router.get(
    "/models/{name}/versions/{version}/health", operation_id="hf_version_health", summary="Does a version answer?"
)
@declare(key_scope="predict", errors=(ModelNotFoundError,))
async def version_health(request: Request, response: Response, name: Name, version: Version) -> dict[str, str]:
    """Healthy; with status 503 Unhealthy, where the version could not be loaded."""
    return _tell_health(request, response, name, version)


def _tell_health(request: Request, response: Response, name: str, version: str | None) -> dict[str, str]:
    plane = context_of(request.scope).app.plane
    is_ready = plane.is_model_ready(plane.find(name, version))
    response.status_code = 200 if is_ready else 503
    return {"status": "Healthy" if is_ready else "Unhealthy"}


def read(request: DialectRequest) -> Question:
    """Reads a request: a picture, or JSON with one or several."""
    steps = request.steps
    kind = kind_of(request, _RIGHT)
    if kind == "json":
        return read_json(request, steps.get("name"), steps.get("version"))
    if kind == "form":
        raise UnsupportedMediaTypeError(f"forms are not accepted; {_RIGHT}")
    return Question([Upload(request.body)], _write_one, steps.get("name"), steps.get("version"))


def read_json(request: DialectRequest, model: str | None, version: str | None) -> Question:
    """Reads ``{"inputs": ..., "parameters": {...}}``."""
    document = read_document(request.body, request.max_images, _RIGHT)
    reject_others(document, _MEMBERS, "member")
    read_object(document, "options")  # only Hugging Face's own service uses these options
    parameters = read_object(document, "parameters")
    reject_others(parameters, _PARAMETERS, "parameter")
    top_k = read_values({"top_k": parameters.get("top_k")}).top_k or _TOP_K
    function = parameters.get("function_to_apply")
    inputs = document.get("inputs")
    texts: list[Any] = inputs if isinstance(inputs, list) else [inputs]
    if not texts or not all(isinstance(text, str | LongText) for text in texts):
        raise MalformedRequestError(f"`inputs` must be a picture in base64; {_RIGHT}")
    check_count(len(texts), request.max_images)

    def check(model: ServedModel) -> None:
        _check_function(function, model)

    def write(result: Classification) -> Reply:
        return reply((each if isinstance(inputs, list) else only)(result, _tell, top_k))

    return Question(read_base64(texts), write, model, version, check=check)


def _check_function(function: Any, model: ServedModel) -> None:
    applied = "sigmoid" if model.metadata.multi_label else "softmax"
    if function not in (None, applied):
        given = f"{function[:16]!r}" if isinstance(function, str) else "not text"
        raise MalformedRequestError(
            f"function_to_apply is {given}; this model applies {applied} itself, and no other can be applied"
        )


def _write_one(result: Classification) -> Reply:
    return reply(only(result, _tell, _TOP_K))


def _tell(ranked: Ranked) -> list[Document]:
    return [{"label": label, "score": probability} for label, probability in ranked]


_SCORES: Document = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["label", "score"],
        "properties": {"label": TEXT, "score": {"type": "number", "minimum": 0, "maximum": 1}},
    },
    "example": [{"label": "cat", "score": 0.9655014}, {"label": "dog", "score": 0.03247791}],
}
_BASE64: Document = {"type": "string", "format": "byte", "minLength": 1}
ANSWER: Document = {"anyOf": [_SCORES, {"type": "array", "items": _SCORES}]}
REQUEST: Document = {
    "type": "object",
    "required": ["inputs"],
    "additionalProperties": False,
    "examples": [{"inputs": PIXEL, "parameters": {"top_k": 3}}, {"inputs": [PIXEL]}],
    "properties": {
        "inputs": {"oneOf": [_BASE64, {"type": "array", "items": _BASE64, "minItems": 1}]},
        "parameters": {
            "type": ["object", "null"],
            "additionalProperties": False,
            "properties": {
                "top_k": {**NUMBER, "type": ["integer", "null"]},
                "function_to_apply": {
                    "type": ["string", "null"],
                    "enum": ["softmax", "sigmoid", None],
                    "description": "`sigmoid` for multi-label models, `softmax` for all others.",
                },
            },
        },
        "options": {"type": ["object", "null"], "description": "Ignored."},
    },
}
_DESCRIPTION = """\
The labels with their probabilities, the highest first: 5, or `top_k`. A list of `inputs` gets a list of such lists.
`function_to_apply` may only be the function that the model's graph contains."""


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
                "application/json": {"schema": REQUEST},
                **PICTURE_BODIES,
            },
        },
        answer=json_answer("The most probable labels.", ANSWER),
    )


HUGGING_FACE = Dialect(
    name="huggingface",
    tag=_TAG,
    own=REQUESTS["huggingface"],
    tell=tell_error,
    error=InferenceError,
    operations=(
        (_operation("/", "hf_classify", "Classify a picture with the default model"), read),
        (_operation("/models/{name}", "hf_classify_with_model", "Classify a picture with a model"), read),
        (
            _operation(
                "/models/{name}/versions/{version}",
                "hf_classify_with_version",
                "Classify a picture with a version of a model",
            ),
            read,
        ),
    ),
    router=router,
)
