"""How ``infer`` stands in the OpenAPI schema."""

from typing import Any

from fastapi import FastAPI

from service.api.handover import hand_over
from service.api.v2.schemas import InferenceAnswer, InferenceError
from service.http.asgi import ASGIApp

_BINARY = {"type": "string", "format": "binary"}

_EXAMPLES = {
    "a blank picture": {
        "value": {
            "id": "42",
            "inputs": [{"name": "image", "datatype": "UINT8", "shape": [1, 32, 32, 3], "data": [0] * 3072}],
        }
    },
    "a file, its three most probable labels": {
        "value": {
            "inputs": [
                {
                    "name": "encoded",
                    "datatype": "BYTES",
                    "shape": [1],
                    "data": [
                        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGNoaGgAAAMEAYFL09IQAAAAAElFTkSuQmCC"
                    ],
                }
            ],
            "outputs": [{"name": "probabilities", "parameters": {"classification": 3}}],
        }
    },
}

_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "application/json": {"schema": {"$ref": "#/components/schemas/InferenceRequest"}, "examples": _EXAMPLES},
        "application/octet-stream": {
            "schema": {
                **_BINARY,
                "description": "The JSON, of `Inference-Header-Content-Length` bytes, and raw tensors behind it.",
            }
        },
    },
}

_FAILURES = {
    400: "The body is not what the protocol or the model wants; says what would be right.",
    404: "No such model or version.",
    408: "The body came too slowly.",
    413: "Too many bytes, pixels or images.",
    415: "A Content-Encoding that is not accepted.",
    422: "Some pictures cannot be decoded; names them.",
    500: "The model failed on this batch.",
    503: "The queue is full, or the service is shutting down. `Retry-After` says when to come back.",
    504: "Not answered within the time limit.",
}

_PATHS = {
    "/v2/models/{name}/infer": ("v2_infer", "Infer with a model"),
    "/v2/models/{name}/versions/{version}/infer": ("v2_infer_with_version", "Infer with a version of a model"),
}

_DESCRIPTION = """\
Send `image`, pixels as the model takes them, or `encoded`, picture files. The output is `probabilities`, or, where a
`classification` is asked for, the most probable labels.
Raw tensors may follow the JSON; `Inference-Header-Content-Length` is then the length of the JSON."""


def document_inference(app: FastAPI, endpoint: ASGIApp) -> None:
    """Adds the inference routes to an app.

    Args:
        app: to be added to.
        endpoint: that answers them.
    """
    for path, (operation_id, summary) in _PATHS.items():
        app.add_api_route(
            path,
            hand_over(endpoint),
            methods=["POST"],
            operation_id=operation_id,
            summary=summary,
            description=_DESCRIPTION,
            tags=["open inference protocol"],
            response_model=None,
            responses=_responses(),
            openapi_extra={"parameters": _parameters(path), "requestBody": _BODY},
        )


def _parameters(path: str) -> list[dict[str, Any]]:
    examples = {"name": "cifar10", "version": "1"}
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}, "example": example}
        for name, example in examples.items()
        if f"{{{name}}}" in path
    ]
    headers = {
        "Inference-Header-Content-Length": "Length of the JSON in bytes, where raw tensors follow it.",
        "X-Request-Timeout-Ms": "Time limit of this request, in milliseconds; the service's own where left out.",
    }
    number = {"type": "integer", "minimum": 1, "maximum": 999_999_999}
    return parameters + [
        {"name": name, "in": "header", "description": text, "schema": number} for name, text in headers.items()
    ]


def _responses() -> dict[int | str, dict[str, Any]]:
    answer = {
        "model": InferenceAnswer,
        "description": "The outputs.",
        "content": {"application/octet-stream": {"schema": {**_BINARY, "description": "The JSON and raw tensors."}}},
        "headers": {
            "Server-Timing": {"description": "Time of each stage.", "schema": {"type": "string"}},
            "Inference-Header-Content-Length": {
                "description": "Length of the JSON, where raw tensors follow it.",
                "schema": {"type": "integer"},
            },
        },
    }
    failures: dict[int | str, dict[str, Any]] = {
        status: {"model": InferenceError, "description": text} for status, text in _FAILURES.items()
    }
    return {200: answer, **failures}
