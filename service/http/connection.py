"""What a request's connection knows without waiting for it.

ASGI tells of a client's leaving, and of the end of a body, only to those who wait in ``receive``: a timer and a second
task for each request. uvicorn's ``receive`` is a method of an object that knows both; it is asked here and nowhere
else. Under another server the answers are the careful ones.
"""

from typing import Any

from service.http.asgi import Receive
from service.http.body_budget import UNCOUNTED_BYTES, BodyBudget


class Connection:
    """One request's way in.

    Args:
        receive: ASGI's, of the request.
        budget: of the bytes that all requests hold.
    """

    __slots__ = ("_budget", "_cycle", "_held_bytes", "receive")

    def __init__(self, receive: Receive, budget: BodyBudget) -> None:
        self.receive = receive
        self._budget = budget
        self._held_bytes = 0
        cycle = getattr(receive, "__self__", None)
        self._cycle: Any = cycle if hasattr(cycle, "is_alone") else None

    def is_body_here(self) -> bool:
        """Whether the whole body is here, for :meth:`take_body`."""
        return self._cycle is not None and self._cycle.is_body_here

    def take_body(self) -> bytes:
        """The whole body; only where :meth:`is_body_here`.

        Raises:
            OverloadedError: all requests together would hold too many bytes.
        """
        body: bytes = self._cycle.take_body()
        if len(body) > UNCOUNTED_BYTES:
            self.hold(len(body))
        return body

    def hold(self, count: int) -> None:
        """Counts bytes that this request holds from now on.

        Raises:
            OverloadedError: all requests together would hold too many.
        """
        self._budget.take(count)
        self._held_bytes += count

    def let_go(self) -> None:
        """Counts out all that this request held; its body is needed no longer."""
        if self._held_bytes:
            self._budget.give_back(self._held_bytes)
            self._held_bytes = 0

    def is_alone(self) -> bool:
        """Whether this is the only request that the process knows of."""
        return self._cycle is not None and bool(self._cycle.is_alone())

    def is_gone(self) -> bool:
        """Whether the client has closed the connection."""
        return self._cycle is not None and bool(self._cycle.disconnected)
