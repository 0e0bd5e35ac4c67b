"""The description of ``infer`` in the OpenAPI document."""

from typing import Any

from service.api.operation import BINARY, NUMBER, SERVER_TIMING, TIMEOUT_HEADER, Operation, reference
from service.api.v2.schemas import InferenceAnswer, InferenceRequest

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
        "application/json": {"schema": reference(InferenceRequest), "examples": _EXAMPLES},
        "application/octet-stream": {
            "schema": {
                **BINARY,
                "description": "The JSON, of `Inference-Header-Content-Length` bytes, followed by raw tensors.",
            }
        },
    },
}
_ANSWER: dict[str, Any] = {
    "description": "The outputs.",
    "content": {
        "application/json": {"schema": reference(InferenceAnswer)},
        "application/octet-stream": {"schema": {**BINARY, "description": "The JSON and raw tensors."}},
    },
    "headers": {
        **SERVER_TIMING,
        "Inference-Header-Content-Length": {
            "description": "Length of the JSON, where raw tensors follow it.",
            "schema": {"type": "integer"},
        },
    },
}
_JSON_LENGTH: dict[str, Any] = {
    "name": "Inference-Header-Content-Length",
    "in": "header",
    "description": "Length of the JSON in bytes, where raw tensors follow it.",
    "schema": NUMBER,
}
_DESCRIPTION = """\
Send `image`, pixels as the model takes them, or `encoded`, picture files. The output is `probabilities`, or the most
probable labels where the output has the parameter `classification`.
Raw tensors may follow the JSON; `Inference-Header-Content-Length` is then the length of the JSON."""


def _operation(path: str, operation_id: str, summary: str) -> Operation:
    return Operation(
        path,
        operation_id,
        summary,
        _DESCRIPTION,
        tag="open inference protocol",
        parameters=(_JSON_LENGTH, TIMEOUT_HEADER),
        body=_BODY,
        answer=_ANSWER,
        bodies=(InferenceRequest,),
        answers=(InferenceAnswer,),
    )


INFER_OPERATIONS = (
    _operation("/v2/models/{name}/infer", "v2_infer", "Infer with a model"),
    _operation(
        "/v2/models/{name}/versions/{version}/infer", "v2_infer_with_version", "Infer with a version of a model"
    ),
)
