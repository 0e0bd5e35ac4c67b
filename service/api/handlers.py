"""Error handlers of the FastAPI app: below /v2 they answer the protocol's document, elsewhere a problem document."""

from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Match, Route

from service.api.context import context_of
from service.api.dialects.missing import name_missing
from service.api.problems import Explanation, explain, is_open_inference, problem, reply
from service.api.v2.errors import error_document, error_reply
from service.errors import ClientGoneError, ConvoyError
from service.http.asgi import Headers, Reply, Scope
from service.telemetry.failure import CLIENT_GONE_STATUS, Failure, release_frames

if TYPE_CHECKING:
    from service.api.dialects.dialect import Dialect


def answer_errors(app: FastAPI) -> None:
    """Registers the error handlers of an app."""

    @app.exception_handler(ClientGoneError)
    async def on_gone(_request: Request, error: ClientGoneError) -> Response:
        release_frames(error)
        return Response(status_code=CLIENT_GONE_STATUS)  # nobody receives it; metrics and log count it

    @app.exception_handler(ConvoyError)
    async def on_known(request: Request, error: ConvoyError) -> Response:
        context_of(request.scope).failure = Failure.of(error)  # for metrics and log
        return _response(failure(request.scope, error))

    @app.exception_handler(HTTPException)
    async def on_http(request: Request, error: HTTPException) -> Response:
        headers = [(name.lower().encode(), value.encode()) for name, value in (error.headers or {}).items()]
        detail = str(error.detail)
        if error.status_code == HTTPStatus.NOT_FOUND:
            docs = f"{context_of(request.scope).root_path}/docs"
            hint = _missing(request) or f"{docs} lists the paths"
            detail = f"there is no {request.scope['path'][:200]}; {hint}"
        elif error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            methods = _methods(request) or ["GET"]  # of mounted files
            detail = (
                f"{request.method[:16]} is not answered here; {' and '.join(methods)} {'are' if methods[1:] else 'is'}"
            )
            if (dialect := _missing(request)) is not None:
                detail += f"; {dialect}"
            shown = [("GET, HEAD" if method == "GET" else method) for method in methods]
            headers = [(b"allow", ", ".join(shown).encode())]
        return _response(_told(request, HTTPStatus(error.status_code), detail, headers))

    @app.exception_handler(RequestValidationError)
    async def on_invalid(request: Request, error: RequestValidationError) -> Response:
        faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
        return _response(_told(request, HTTPStatus.UNPROCESSABLE_ENTITY, "; ".join(faults), []))


def failure(scope: Scope, error: Exception) -> Reply:
    """Makes the error answer, in the document of the API that a request's path belongs to."""
    if (dialect := _dialect(scope)) is not None:
        return dialect.tell(explain(error))
    return error_reply(error) if is_open_inference(scope["path"]) else problem(error)


def _told(request: Request, status: HTTPStatus, detail: str, headers: Headers) -> Reply:
    if (dialect := _dialect(request.scope)) is not None:
        return dialect.tell(Explanation(status, detail, headers))
    if is_open_inference(request.scope["path"]):
        return error_document(status, detail, headers)
    return reply(status, detail, headers=headers)


def _methods(request: Request) -> list[str]:
    """The methods of all routes that match a request's path."""
    routes = (route for route in request.app.routes if isinstance(route, Route))
    matching = (route for route in routes if route.matches(request.scope)[0] is not Match.NONE)
    return sorted({method for route in matching for method in route.methods or () if method != "HEAD"})


def _missing(request: Request) -> str | None:
    """The hint where a request belongs to a dialect that is off."""
    if _dialect(request.scope) is not None:
        return None
    names = [dialect.name for dialect in context_of(request.scope).app.dialects or ()]
    return name_missing(request.method, request.scope["path"], names)


def _dialect(scope: Scope) -> "Dialect | None":
    dialects = context_of(scope).app.dialects
    return None if dialects is None else dialects.find(scope["method"], scope["path"])


def _response(answer: Reply) -> Response:
    headers = {name.decode(): value.decode() for name, value in answer.headers}
    return Response(answer.body, answer.status, headers, answer.media_type.decode())
