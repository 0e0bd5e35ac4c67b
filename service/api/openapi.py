"""Makes the OpenAPI document from the routes, their declarations and the table of errors.

::

    FastAPI's routes ─ get_openapi ─┐                     ┌─ errors that a route declares: the table's status and text
    endpoints before the app ───────┴─> every operation ──┼─ the key scope that it declares, where keys are set
    (Operation)                                           └─ X-Request-ID
"""

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import orjson
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema
from starlette.routing import Route

from service.api.operation import OperationRoute, reference
from service.api.problems import FAILURES, MEDIA_TYPE, is_open_inference
from service.api.schemas import Problem
from service.api.v2.schemas import InferenceError
from service.declarations import Declaration, declaration_of
from service.errors import ConvoyError, ForbiddenError, RateLimitedError, UnauthenticatedError
from service.pool_threads import run_in_pool

if TYPE_CHECKING:
    from service.api.dialects.chosen import Dialects

_REFERENCE = "#/components/schemas/{model}"
_UNUSED = ("HTTPValidationError", "ValidationError")
_REQUEST_ID = {
    "X-Request-ID": {
        "description": "The `X-Request-ID` of the request, or a new one; it is in the log too.",
        "schema": {"type": "string"},
    }
}
_KEY_ERRORS = (UnauthenticatedError, ForbiddenError, RateLimitedError)
_SECURITY: list[dict[str, list[str]]] = [{"bearer": []}, {"header": []}]
_SECURITY_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key."},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "An API key."},
}
_MOST_SERVERS = 16


class ApiDocument:
    """The document as clients get it. Making it takes 0.1 s, so its first request makes it, in a thread.

    Args:
        app: the document describes its routes.
        bodies: models of JSON bodies that FastAPI does not read itself.
        has_keys: whether requests need keys.
        dialects: those that are on; their errors have their own documents. None where all are off.
    """

    def __init__(
        self, app: FastAPI, bodies: Iterable[type[BaseModel]], *, has_keys: bool, dialects: "Dialects | None" = None
    ) -> None:
        self._app = app
        self._bodies = tuple(bodies)
        self._has_keys = has_keys
        self._dialects = dialects
        self._document: dict[str, Any] = {}
        self._turn = asyncio.Lock()
        self._serialised: dict[str, bytes] = {}

    async def serialise(self, server: str) -> bytes:
        """Writes the document as JSON.

        Args:
            server: where the API is, as seen from the address of the document (OpenAPI 3.1, Server Object).

        Returns:
            The JSON; the last few are kept.

        Raises:
            OverloadedError: it is not made yet, and no thread can be started.
        """
        async with self._turn:
            if not self._document:
                self._document = await run_in_pool(self._make)
        if server not in self._serialised:
            if len(self._serialised) == _MOST_SERVERS:
                self._serialised.clear()
            self._serialised[server] = orjson.dumps({**self._document, "servers": [{"url": server}]})
        return self._serialised[server]

    def _make(self) -> dict[str, Any]:
        routes = self._app.routes
        document = get_openapi(
            title=self._app.title, version=self._app.version, summary=self._app.summary, routes=routes
        )
        paths, schemas = document["paths"], document["components"]["schemas"]
        described = [route for route in routes if isinstance(route, OperationRoute)]
        for route in described:
            operations = paths.setdefault(route.operation.path, {})
            for method, operation in route.operation.to_json().items():
                operations.setdefault(method, operation)
        schemas |= _schemas(
            self._bodies + tuple(body for route in described for body in route.operation.bodies),
            (
                Problem,
                InferenceError,
                *(dialect.error for dialect in self._dialects or ()),
                *(answer for route in described for answer in route.operation.answers),
            ),
        )
        for name in _UNUSED:
            schemas.pop(name, None)
        for found in routes:
            if isinstance(found, Route) and found.path in paths:
                for method in {method.lower() for method in found.methods or ()} & paths[found.path].keys():
                    self._complete(paths[found.path][method], found, method.upper())
        if self._has_keys:
            document["components"]["securitySchemes"] = _SECURITY_SCHEMES
        return document

    def _complete(self, operation: dict[str, Any], route: Route, method: str) -> None:
        declared, responses = declaration_of(route.endpoint), operation["responses"]
        content = responses.get("422", {}).get("content", {}).get("application/json", {})
        if content.get("schema", {}).get("$ref") == _REFERENCE.format(model=_UNUSED[0]):
            del responses["422"]  # every parameter is text, so none can be invalid
        errors = declared.errors
        if self._has_keys and declared.key_scope is not None:
            operation["security"] = _SECURITY
            errors = (*errors, *_KEY_ERRORS)
        dialect = None if self._dialects is None else self._dialects.find(method, route.path)
        if dialect is not None:
            document: tuple[type[BaseModel], str] = (dialect.error, "application/json")
        elif is_open_inference(route.path):
            document = (InferenceError, "application/json")
        else:
            document = (Problem, MEDIA_TYPE)
        responses |= _failures(errors, declared, *document)
        for response in responses.values():
            response["headers"] = response.get("headers", {}) | _REQUEST_ID


def _failures(
    errors: Iterable[type[ConvoyError]], declared: Declaration, kind: type[BaseModel], media_type: str
) -> dict[str, dict[str, Any]]:
    """OpenAPI's Response Objects of some errors, by status; errors of one status share one."""
    texts: dict[str, list[str]] = {}
    for error in errors:
        failure = FAILURES[error]
        text = failure.when
        if error is ForbiddenError:
            text = f"{text} It needs the scope `{declared.key_scope}`."
        texts.setdefault(str(failure.status.value), []).append(text)
    return {
        status: {"description": " Or: ".join(said), "content": {media_type: {"schema": reference(kind)}}}
        for status, said in sorted(texts.items())
    }


def _schemas(bodies: Iterable[type[BaseModel]], answers: Iterable[type[BaseModel]]) -> dict[str, Any]:
    modes: tuple[tuple[Iterable[type[BaseModel]], JsonSchemaMode], ...] = (
        (bodies, "validation"),
        (answers, "serialization"),
    )
    found: dict[str, Any] = {}
    for models, mode in modes:
        _, definitions = models_json_schema([(model, mode) for model in models], ref_template=_REFERENCE)
        found |= definitions["$defs"]
    return found
