"""Types of ASGI, and an answer that is sent as a whole.

Source: the ASGI specification, HTTP & WebSocket message format 2.3.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, NamedTuple

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]


class Reply(NamedTuple):
    """A complete answer.

    Attributes:
        status: HTTP status.
        body: of the answer.
        media_type: of the body.
        headers: further headers, names in lower case.
    """

    status: int
    body: bytes
    media_type: bytes
    headers: Headers

    async def send(self, send: Send) -> None:
        """Sends the answer: two messages, which the server writes as one."""
        await send(
            {
                "type": "http.response.start",
                "status": self.status,
                "headers": [
                    (b"content-type", self.media_type),
                    (b"content-length", b"%d" % len(self.body)),
                    *self.headers,
                ],
            }
        )
        await send({"type": "http.response.body", "body": self.body})
