"""The way from a FastAPI route to a plain ASGI endpoint, for servers that know only the FastAPI app."""

from collections.abc import Awaitable, Callable

from fastapi import Request, Response

from service.http.asgi import ASGIApp, Receive, Scope, Send


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
