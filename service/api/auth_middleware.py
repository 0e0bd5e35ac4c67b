"""The layer that asks for a key, there only where keys are set.

::

    /health, /docs ────────────────────> app
    everything else ── key, scope, rate ─> app
                             └─ 401, 403 or 429 from here
"""

from typing import TYPE_CHECKING, Any

from fastapi import FastAPI

from service.api.problems import problem
from service.api.v2.errors import error_reply
from service.errors import AccessError
from service.http.asgi import ASGIApp, Headers, Receive, Scope, Send
from service.telemetry.failure import Failure

if TYPE_CHECKING:
    from service.access import AccessControl, KeyScope

_OPEN = frozenset(
    (
        "/health/live",
        "/health/ready",
        "/v2/health/live",
        "/v2/health/ready",
        "/",
        "/docs",
        "/openapi.json",
    )
)
_OPEN_FOLDER = "/static-offline-docs/"
_METRICS = "/metrics"
_CONTROL_FOLDER = "/v2/repository/models/"
_SECURITY: list[dict[str, list[str]]] = [{"bearer": []}, {"header": []}]


class AuthMiddleware:
    """Lets requests through whose key allows what they ask for.

    Args:
        app: behind the gate.
        access: decides.
    """

    def __init__(self, app: ASGIApp, access: "AccessControl") -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, or answers why not. Its state gets the id of its key, or the failure."""
        if scope["type"] == "http" and (wanted := needed_scope(scope["path"])) is not None:
            try:
                scope["state"]["key_id"] = (await self._access.admit(read_key(scope["headers"]), wanted)).id
            except AccessError as error:
                scope["state"]["failure"] = Failure.of(error)
                answer = error_reply if scope["path"].startswith("/v2") else problem
                await answer(error).send(send)
                return
        await self._app(scope, receive, send)


def needed_scope(path: str) -> "KeyScope | None":
    """The scope that a path needs; None where it is open to all. What is not known here is not open.

    Args:
        path: of a request, decoded.
    """
    if path in _OPEN or path.startswith(_OPEN_FOLDER):
        return None
    if path == _METRICS:
        return "metrics"
    if path.startswith(_CONTROL_FOLDER):
        return "control"
    return "predict"


def read_key(headers: Headers) -> str | None:
    """The key of a request: ``Authorization: Bearer KEY`` or ``X-API-Key: KEY``, the former first.

    Args:
        headers: names in lower case.

    Returns:
        What stands there, key or not; None where neither header does.
    """
    found = dict(headers)
    kind, _, token = found.get(b"authorization", b"").partition(b" ")
    if kind.lower() == b"bearer":
        return token.strip().decode("latin-1")
    key = found.get(b"x-api-key")
    return None if key is None else key.decode("latin-1")


def document_keys(app: FastAPI) -> None:
    """Names both headers in an app's OpenAPI document, and the routes that need them.

    Args:
        app: whose document it is.
    """
    make = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = make()
            document.setdefault("components", {})["securitySchemes"] = {
                "bearer": {"type": "http", "scheme": "bearer", "description": "An API key."},
                "header": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "An API key."},
            }
            for path, operations in document["paths"].items():
                if (wanted := needed_scope(path)) is not None:
                    for operation in operations.values():
                        operation["security"] = _SECURITY
                        operation["responses"] |= _refusals(wanted)
        return app.openapi_schema or {}

    app.openapi = openapi  # type: ignore[method-assign]


def _refusals(wanted: "KeyScope") -> dict[str, Any]:
    return {
        "401": {"description": "No key, or none that is known."},
        "403": {"description": f"The key has not the scope `{wanted}`."},
        "429": {"description": "The key has been used too often. `Retry-After` says when to come back."},
    }
