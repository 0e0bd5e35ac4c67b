"""What a request's connection knows without waiting for it.

ASGI tells of a client's leaving, and of the end of a body, only to those who wait in ``receive``: a timer and a second
task for each request. uvicorn's ``receive`` is a method of an object that knows both; it is asked here and nowhere
else. Under another server the answers are the careful ones.
"""

from typing import Any

from service.api.asgi import Receive


class Connection:
    """One request's way in.

    Args:
        receive: ASGI's, of the request.
    """

    __slots__ = ("_cycle", "receive")

    def __init__(self, receive: Receive) -> None:
        self.receive = receive
        cycle: Any = getattr(receive, "__self__", None)
        self._cycle = cycle if hasattr(cycle, "more_body") and hasattr(cycle, "disconnected") else None

    def is_body_here(self) -> bool:
        """Whether ``receive`` will return the whole body at once, without waiting."""
        return self._cycle is not None and not self._cycle.more_body and not self._cycle.disconnected

    def is_gone(self) -> bool:
        """Whether the client has closed the connection."""
        return self._cycle is not None and bool(self._cycle.disconnected)
