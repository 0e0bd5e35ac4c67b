"""The way from a FastAPI route to a plain ASGI endpoint, for servers that know only the FastAPI app."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from fastapi import FastAPI, Request, Response
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from service.api.asgi import ASGIApp, Receive, Scope, Send


class _Handover(Response):
    """An answer that another ASGI app gives."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        super().__init__()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


def hand_over(app: ASGIApp) -> Callable[[Request], Awaitable[Response]]:
    """Makes a route's handler of an ASGI endpoint.

    Args:
        app: that answers.

    Returns:
        The handler.
    """

    async def handler(_request: Request) -> Response:
        return _Handover(app)

    return handler


def describe_bodies(app: FastAPI, bodies: Sequence[type[BaseModel]]) -> None:
    """Adds documents that routes read by themselves to the OpenAPI schema's components.

    Args:
        app: whose schema it is.
        bodies: referred to by routes under their class names.
    """
    make_schema = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schemas = make_schema().setdefault("components", {}).setdefault("schemas", {})
            _, definitions = models_json_schema(
                [(body, "validation") for body in bodies], ref_template="#/components/schemas/{model}"
            )
            schemas.update(definitions["$defs"])
        return app.openapi_schema or {}

    app.openapi = openapi  # type: ignore[method-assign]
