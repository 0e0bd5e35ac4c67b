"""HEAD, for every route that answers GET: the same head, and no body.

Source: RFC 9110, section 9.3.2.
"""

from service.http.asgi import ASGIApp, Message, Receive, Scope, Send


class HeadMiddleware:
    """Asks an app with GET where the client asks with HEAD.

    Args:
        app: whose routes know GET only.
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

        # A copy: the layers outside, and the server, go on seeing HEAD.
        await self._app({**scope, "method": "GET"}, receive, send_without_body)
