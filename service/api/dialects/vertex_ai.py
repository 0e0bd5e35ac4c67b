"""Vertex AI's contract with a container: a route for health and one for predictions; variables set their paths.

``instances`` are answered with rows of probabilities, like TF Serving's containers; those with ``content`` with names
and confidences, like AutoML's image classification. Raw predictions accept any body of ``/predict``.

Sources: https://cloud.google.com/vertex-ai/docs/predictions/custom-container-requirements,
https://cloud.google.com/vertex-ai/docs/image-data/classification/get-predictions
"""

import re
from typing import Any

from service.api.dialects.content import media_type_of
from service.api.dialects.dialect import Dialect, DialectRequest, Question
from service.api.dialects.documents import (
    Document,
    Ranked,
    each,
    read_document,
    read_object,
    reject_others,
    reply,
    rows,
    tell_error,
)
from service.api.dialects.instances import INSTANCES, PREDICTIONS, numbers_keys, read_rows
from service.api.dialects.own_bodies import OWN_JSON, read_own
from service.api.dialects.ping import ping_router
from service.api.operation import PICTURE_BODIES, TEXT, Operation, json_answer, reference
from service.api.parameters import MOST_TOP_K, NO_PARAMETERS
from service.api.schemas import PIXEL, EncodedImages, PredictionAnswer
from service.api.v2.schemas import InferenceError
from service.classifier import Classification
from service.decoding import LongText
from service.errors import MalformedRequestError
from service.http.asgi import Reply

_TAG = "dialect: Vertex AI"
_RIGHT = 'send {"instances": [{"b64": "<base64>"}, ...]} or {"instances": [{"content": "<base64>"}, ...]}'
_CONTENT = ("content", "mimeType", "mime_type")
_MOST = ("maxPredictions", "max_predictions")
_LEAST = ("confidenceThreshold", "confidence_threshold")
_MOST_PREDICTIONS = 10  # AutoML's default


def read(request: DialectRequest) -> Question:
    """Reads a request: ``instances``, or any body of ``/predict``."""
    media_type = media_type_of(request)
    if media_type != "application/json" and (media_type or request.body[:64].lstrip()[:1] != b"{"):
        return read_own(request, NO_PARAMETERS)
    document = read_document(request.body, request.max_images, _RIGHT, numbers_keys(request.body))
    if "images" in document:
        return read_own(request, NO_PARAMETERS)
    reject_others(document, ("instances", "parameters"), "member")
    instances, parameters = document.get("instances"), read_object(document, "parameters")
    if isinstance(instances, list) and _has_content(instances):
        return _read_content(instances, parameters, request.max_images)
    if parameters:
        raise MalformedRequestError('`parameters` work with instances as {"content": "<base64>"} only; leave them out')

    def write(result: Classification) -> Reply:
        return reply({"predictions": rows(result)})

    return Question(read_rows(instances, "instances", request.max_images), write)


def _has_content(instances: list[Any]) -> bool:
    return any(isinstance(instance, dict) and "content" in instance for instance in instances)


def _read_content(instances: list[Any], parameters: Document, max_images: int) -> Question:
    """Reads a request as AutoML's clients send it."""
    for instance in instances:
        if not isinstance(instance, dict) or "content" not in instance:
            raise MalformedRequestError("each of `instances` must have `content`, since one has it")
        reject_others(instance, _CONTENT, "member of an instance")
        if not all(value is None or isinstance(value, str | LongText) for value in instance.values()):
            raise MalformedRequestError(
                "each of `instances` must be a picture in base64 as `content`; `mimeType` is text"
            )
    reject_others(parameters, (*_MOST, *_LEAST), "parameter")
    most, least = _value(parameters, _MOST, _MOST_PREDICTIONS), _value(parameters, _LEAST, 0.0)
    if type(most) is float and most.is_integer():
        most = int(most)  # Vertex AI's client sends whole numbers as 3.0
    if type(most) is not int or most < 1:
        raise MalformedRequestError("maxPredictions must be a whole number from 1 up")
    if type(least) not in (int, float) or not 0 <= least <= 1:
        raise MalformedRequestError("confidenceThreshold must be a number from 0 to 1")

    def write(result: Classification) -> Reply:
        indices = {label: str(index) for index, label in enumerate(result.model.metadata.class_names)}

        def tell(ranked: Ranked) -> Document:
            kept = [pair for pair in ranked if pair[1] >= least]
            return {
                "ids": [indices[label] for label, _ in kept],
                "displayNames": [label for label, _ in kept],
                "confidences": [confidence for _, confidence in kept],
            }

        return reply({"predictions": each(result, tell, min(most, MOST_TOP_K))})

    contents = [instance["content"] for instance in instances]
    return Question(read_rows(contents, "instances", max_images), write)


def _value(parameters: Document, names: tuple[str, str], otherwise: float) -> Any:
    """A parameter, which has two names; null is the same as absent."""
    given = [parameters[name] for name in names if parameters.get(name) is not None]
    if len(given) > 1:
        raise MalformedRequestError(f"{names[0]} and {names[1]} are the same parameter; give one of them")
    return given[0] if given else otherwise


def _body(instances: Document, parameters: Document, example: Document) -> Document:
    return {
        "type": "object",
        "examples": [{"instances": [example]}],
        "required": ["instances"],
        "additionalProperties": False,
        "properties": {"instances": instances, "parameters": {**parameters, "type": ["object", "null"]}},
    }


_WHOLE: Document = {"type": ["integer", "null"], "minimum": 1}
_SHARE: Document = {"type": ["number", "null"], "minimum": 0, "maximum": 1}
_MIME_TYPE: Document = {"type": ["string", "null"]}
_INSTANCE: Document = {
    "type": "object",
    "required": ["content"],
    "additionalProperties": False,
    "properties": {
        "content": {"type": "string", "format": "byte", "minLength": 1},
        **dict.fromkeys(_CONTENT[1:], _MIME_TYPE),
    },
}
_ROWS_BODY = _body(INSTANCES, {"maxProperties": 0}, {"b64": PIXEL})
_CONTENT_BODY = _body(
    {"type": "array", "minItems": 1, "items": _INSTANCE},
    {"additionalProperties": False, "properties": {_MOST[0]: _WHOLE, _LEAST[0]: _SHARE}},
    {"content": PIXEL},
)
_TEXTS: Document = {"type": "array", "items": TEXT}
_NAMES: Document = {
    "type": "object",
    "required": ["ids", "displayNames", "confidences"],
    "properties": {
        "ids": _TEXTS,
        "displayNames": _TEXTS,
        "confidences": {"type": "array", "items": {"type": "number"}},
    },
}
_CONTENTS: Document = {
    "type": "object",
    "required": ["predictions"],
    "properties": {"predictions": {"type": "array", "items": _NAMES}},
}


def vertex_ai(health_route: str, predict_route: str) -> Dialect:
    """The dialect.

    Args:
        health_route: path of the health check.
        predict_route: path of predictions.
    """
    operation = Operation(
        predict_route,
        "vertex_predict",
        "Classify pictures",
        'A row of probabilities for each instance; for `{"content": ...}`, names and confidences as in AutoML.',
        tag=_TAG,
        body={
            "required": True,
            "content": {
                "application/json": {"schema": {"anyOf": [_ROWS_BODY, _CONTENT_BODY, OWN_JSON]}},
                **PICTURE_BODIES,
            },
        },
        bodies=(EncodedImages,),
        answers=(PredictionAnswer,),
        answer=json_answer(
            "An entry for each picture.",
            {"anyOf": [PREDICTIONS, _CONTENTS, reference(PredictionAnswer)]},
        ),
    )
    return Dialect(
        name="vertex",
        tag=_TAG,
        own=re.compile(rf"(?!POST )\w+ {re.escape(health_route)}|\w+ {re.escape(predict_route)}"),
        tell=tell_error,
        error=InferenceError,
        operations=((operation, read),),
        router=ping_router(_TAG, health_route, "vertex_health"),
    )
