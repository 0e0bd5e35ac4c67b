"""Describes a route that is answered before the FastAPI app, which therefore cannot describe it."""

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from starlette.routing import Route

from service.http.asgi import ASGIApp

BINARY: dict[str, Any] = {"type": "string", "format": "binary"}
TEXT: dict[str, Any] = {"type": "string"}
NUMBER: dict[str, Any] = {"type": "integer", "minimum": 1, "maximum": 999_999_999}
TIMEOUT_HEADER: dict[str, Any] = {
    "name": "X-Request-Timeout-Ms",
    "in": "header",
    "description": "Time limit of this request, in milliseconds; the default is the time limit of the service.",
    "schema": NUMBER,
}
SERVER_TIMING: dict[str, Any] = {"Server-Timing": {"description": "Time of each stage.", "schema": TEXT}}
PICTURE_BODIES: dict[str, Any] = {"image/*": {"schema": BINARY}, "application/octet-stream": {"schema": BINARY}}
"""A picture as the body, as all routes take it."""
_EXAMPLES = {"name": "cifar10", "version": "1", "label": "stable"}


@dataclass(frozen=True, slots=True)
class Operation:
    """One route; its method is POST by default.

    Attributes:
        path: as FastAPI writes paths.
        id: unique in the document.
        summary: one line.
        description: Markdown.
        tag: the group that it belongs to.
        body: OpenAPI's Request Body Object.
        answer: OpenAPI's Response Object of status 200.
        parameters: OpenAPI's Parameter Objects, without those of the path.
        bodies: models that the body refers to.
        answers: models that the answer refers to.
        methods: of the route. For each further method, the operation's id begins with the method.
    """

    path: str
    id: str
    summary: str
    description: str
    tag: str
    body: dict[str, Any]
    answer: dict[str, Any]
    parameters: tuple[dict[str, Any], ...] = (TIMEOUT_HEADER,)
    bodies: tuple[type[BaseModel], ...] = ()
    answers: tuple[type[BaseModel], ...] = ()
    methods: tuple[str, ...] = ("POST",)

    def to_json(self) -> dict[str, Any]:
        """OpenAPI's Operation Object for each method, without the parts that all operations share."""
        first, *others = self.methods
        return {
            first.lower(): self._describe(self.id),
            **{method.lower(): self._describe(f"{method.lower()}_{self.id}") for method in others},
        }

    def _describe(self, operation_id: str) -> dict[str, Any]:
        in_path = [
            {"name": name, "in": "path", "required": True, "schema": TEXT, "example": example}
            for name, example in _EXAMPLES.items()
            if f"{{{name}}}" in self.path
        ]
        return {
            "tags": [self.tag],
            "summary": self.summary,
            "description": self.description,
            "operationId": operation_id,
            "parameters": [*in_path, *self.parameters],
            "requestBody": self.body,
            "responses": {"200": self.answer},
        }


class OperationRoute(Route):
    """A route of the app that an ASGI endpoint answers.

    Args:
        operation: its description.
        endpoint: answers its requests.
    """

    def __init__(self, operation: Operation, endpoint: ASGIApp) -> None:
        super().__init__(operation.path, endpoint, methods=list(operation.methods))
        self.operation = operation


def reference(model: type[BaseModel]) -> dict[str, Any]:
    """A reference to a model's schema."""
    return {"$ref": f"#/components/schemas/{model.__name__}"}


def json_answer(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    """OpenAPI's Response Object of a JSON answer with the header ``Server-Timing``."""
    return {
        "description": description,
        "content": {"application/json": {"schema": schema}},
        "headers": SERVER_TIMING,
    }
