"""How ``/predict`` stands in the OpenAPI schema."""

from typing import Any

from fastapi import FastAPI

from service.api.bodies import FILE_FIELD
from service.api.handover import hand_over
from service.api.problems import MEDIA_TYPE
from service.api.schemas import PredictionAnswer
from service.decoding import NPY_MEDIA_TYPE
from service.http.asgi import ASGIApp

_BINARY = {"type": "string", "format": "binary"}

_BODY: dict[str, Any] = {
    "required": True,
    "description": "PNG, JPEG, WebP, BMP, GIF, TIFF, AVIF or HEIC of any size, or pixels as the model takes them.",
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": [FILE_FIELD],
                "properties": {
                    FILE_FIELD: {
                        "type": "array",
                        "items": _BINARY,
                        "minItems": 1,
                        "description": "One picture or many, each a part of this name.",
                    }
                },
            }
        },
        "image/*": {"schema": _BINARY},
        "application/octet-stream": {"schema": _BINARY},
        "application/json": {"schema": {"$ref": "#/components/schemas/EncodedImages"}},
        NPY_MEDIA_TYPE: {"schema": {**_BINARY, "description": "uint8 [N, H, W, C], as numpy.save writes it."}},
    },
}

_FAILURES = {
    400: "The body or a parameter is not well-formed.",
    404: "No such model or version.",
    408: "The body came too slowly.",
    413: "Too many bytes, pixels or images.",
    415: "A kind of body that is not accepted.",
    422: "Some pictures cannot be used; `errors` names each.",
    500: "The model failed on this batch.",
    503: "The queue is full, or the service is shutting down. `Retry-After` says when to come back.",
    504: "Not answered within the time limit.",
}

_PATHS = {
    "/predict": ("predict", "Classify pictures"),
    "/models/{name}/predict": ("predict_with_model", "Classify pictures with a model"),
    "/models/{name}/versions/{version}/predict": (
        "predict_with_version",
        "Classify pictures with a version of a model",
    ),
}

_DESCRIPTION = """\
Send one picture as the body, many as `file` parts of a form or as base64 in JSON, or a whole array of pixels.
Each gets its most probable label and every label's calibrated probability, in the order sent.
With `Accept: application/x-npy` the answer is the bare float32 [N, K] array."""


def document_predictions(app: FastAPI, predict: ASGIApp) -> None:
    """Adds the prediction routes to an app.

    Args:
        app: to be added to.
        predict: the endpoint that answers them.
    """
    for path, (operation_id, summary) in _PATHS.items():
        app.add_api_route(
            path,
            hand_over(predict),
            methods=["POST"],
            operation_id=operation_id,
            summary=summary,
            description=_DESCRIPTION,
            tags=["predict"],
            response_model=None,
            responses=_responses(),
            openapi_extra={"parameters": _parameters(path), "requestBody": _BODY},
        )


def _parameters(path: str) -> list[dict[str, Any]]:
    def query(name: str, description: str, schema: dict[str, Any], example: Any) -> dict[str, Any]:
        return {"name": name, "in": "query", "description": description, "schema": schema, "example": example}

    def in_path(name: str, example: str) -> dict[str, Any]:
        return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}, "example": example}

    text = {"type": "string"}
    number = {"type": "integer", "minimum": 1, "maximum": 999_999_999}
    parameters = [query("top_k", "Adds the `top_k` most probable labels.", number, 3)]
    if "{name}" in path:
        parameters.append(in_path("name", "cifar10"))
    else:
        parameters.append(query("model", "Name of the model; the default model where left out.", text, "cifar10"))
    if "{version}" in path:
        parameters.append(in_path("version", "1"))
    else:
        parameters.append(query("version", "Version of the model; the newest where left out.", text, "1"))
    parameters.append(
        {
            "name": "X-Request-Timeout-Ms",
            "in": "header",
            "description": "Time limit of this request, in milliseconds; the service's own where left out.",
            "schema": number,
        }
    )
    return parameters


def _responses() -> dict[int | str, dict[str, Any]]:
    answer = {
        "model": PredictionAnswer,
        "description": "One prediction a picture, in the order sent.",
        "content": {NPY_MEDIA_TYPE: {"schema": {**_BINARY, "description": "float32 [N, K]"}}},
        "headers": {"Server-Timing": {"description": "Time of each stage.", "schema": {"type": "string"}}},
    }
    schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
    failures: dict[int | str, dict[str, Any]] = {
        status: {"description": text, "content": {MEDIA_TYPE: schema}} for status, text in _FAILURES.items()
    }
    return {200: answer, **failures}
