"""Every error of the ordinary routes as a problem document, whoever raised it."""

from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from service.api.asgi import Reply
from service.api.problems import problem, reply
from service.errors import ConvoyError


def answer_with_problems(app: FastAPI) -> None:
    """Registers the handlers.

    Args:
        app: whose routes are meant.
    """

    @app.exception_handler(ConvoyError)
    async def on_known(request: Request, error: ConvoyError) -> Response:
        request.state.error = error  # for metrics and log
        return _response(problem(error))

    @app.exception_handler(HTTPException)
    async def on_http(_request: Request, error: HTTPException) -> Response:
        headers = [(name.lower().encode(), value.encode()) for name, value in (error.headers or {}).items()]
        return _response(reply(HTTPStatus(error.status_code), str(error.detail), headers=headers))

    @app.exception_handler(RequestValidationError)
    async def on_invalid(_request: Request, error: RequestValidationError) -> Response:
        faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
        return _response(reply(HTTPStatus.UNPROCESSABLE_ENTITY, "; ".join(faults)))


def _response(answer: Reply) -> Response:
    headers = {name.decode(): value.decode() for name, value in answer.headers}
    return Response(answer.body, answer.status, headers, answer.media_type.decode())
