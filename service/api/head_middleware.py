"""Answers HEAD on every route that answers GET: the same head, without a body.

Source: RFC 9110, section 9.3.2.
"""

from service.http.asgi import ASGIApp, Message, Receive, Scope, Send


class HeadMiddleware:
    """Passes HEAD requests to an app as GET, and drops the body of the answer.

    Args:
        app: its routes answer GET only.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_without_body(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        # A copy, since the outer middleware and the server must still see HEAD.
        await self._app({**scope, "method": "GET"}, receive, send_without_body)
