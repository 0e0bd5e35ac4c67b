"""The OpenAPI document: what FastAPI makes of the routes, with what it cannot know."""

from collections.abc import Sequence
from typing import Any

import orjson
from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

_REFERENCE = "#/components/schemas/{model}"
_UNUSED = ("HTTPValidationError", "ValidationError")
_REQUEST_ID = {
    "X-Request-ID": {
        "description": "The request's own `X-Request-ID`, or one made for it; it stands in the log.",
        "schema": {"type": "string"},
    }
}


_MOST_SERVERS = 16


class ApiDocument:
    """The document as clients get it. Making it takes a tenth of a second, so it is made once, before requests come.

    Args:
        app: whose document it is.
    """

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._serialised: dict[str, bytes] = {}

    def make(self) -> None:
        """Makes the document; may run in a thread."""
        self._app.openapi()

    def serialise(self, server: str) -> bytes:
        """Writes the document as JSON.

        Args:
            server: where the API is, as seen from the address of the document (OpenAPI 3.1, Server Object).

        Returns:
            The JSON; the last few are kept.
        """
        if server not in self._serialised:
            if len(self._serialised) == _MOST_SERVERS:
                self._serialised.clear()
            self._serialised[server] = orjson.dumps({**self._app.openapi(), "servers": [{"url": server}]})
        return self._serialised[server]


def complete_document(app: FastAPI, bodies: Sequence[type[BaseModel]]) -> None:
    """Completes an app's OpenAPI document.

    Args:
        app: whose document it is.
        bodies: documents that routes read by themselves and refer to by their class names.
    """
    make = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = make()
            _, definitions = models_json_schema([(body, "validation") for body in bodies], ref_template=_REFERENCE)
            schemas = document["components"]["schemas"]
            schemas.update(definitions["$defs"])
            for name in _UNUSED:
                schemas.pop(name, None)
            for operations in document["paths"].values():
                for operation in operations.values():
                    _complete(operation["responses"])
        return app.openapi_schema or {}

    app.openapi = openapi  # type: ignore[method-assign]


def _complete(responses: dict[str, Any]) -> None:
    content = responses.get("422", {}).get("content", {}).get("application/json", {})
    if content.get("schema", {}).get("$ref") == _REFERENCE.format(model=_UNUSED[0]):
        del responses["422"]  # the parameters are text: they cannot be invalid
    for response in responses.values():
        response["headers"] = response.get("headers", {}) | _REQUEST_ID
