"""The state of a request's connection, available without waiting.

ASGI reports that a client has left, or that a body is complete, only to code that awaits ``receive``. To learn both,
each request would need a second task and a timer. In this service, ``receive`` is a method of
:class:`service.http.exchange.Exchange`, which has both. Under another ASGI server, a body is complete only once it has
been received, and no client is known to have left.
"""

from types import TracebackType
from typing import Any, Self

from service.http.asgi import Receive
from service.http.body_budget import UNCOUNTED_BYTES, BodyBudget


class Connection:
    """Reads one request, and counts the bytes that it holds, which are given back at the end of its ``with`` block.

    Args:
        receive: ASGI's ``receive`` of the request.
        budget: counts the bytes of all requests.

    Attributes:
        receive: as given.
        held_bytes: the counted bytes that this request holds.
    """

    __slots__ = ("_budget", "_cycle", "held_bytes", "receive")

    def __init__(self, receive: Receive, budget: BodyBudget) -> None:
        self.receive = receive
        self._budget = budget
        self.held_bytes = 0
        cycle = getattr(receive, "__self__", None)
        self._cycle: Any = cycle if hasattr(cycle, "is_alone") else None

    def __enter__(self) -> Self:
        """The connection, for which bytes may now be counted."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Gives back all bytes that this request held."""
        self.let_go()

    def take_body(self) -> bytes | None:
        """The whole body, where it has arrived; otherwise None.

        Raises:
            OverloadedError: all requests together would hold too many bytes.
        """
        if self._cycle is None:
            return None
        body: bytes | None = self._cycle.take_body()
        if body is not None and len(body) > UNCOUNTED_BYTES:
            self.hold(len(body))
        return body

    def hold(self, count: int) -> None:
        """Counts bytes that this request holds from now on.

        Raises:
            OverloadedError: all requests together would hold too many.
        """
        self._budget.take(count)
        self.held_bytes += count

    def let_go(self) -> None:
        """Gives back all bytes that this request held."""
        if self.held_bytes:
            self._budget.give_back(self.held_bytes)
            self.held_bytes = 0

    def is_alone(self) -> bool:
        """Whether no other request is in flight in this process."""
        return self._cycle is not None and bool(self._cycle.is_alone())

    def is_gone(self) -> bool:
        """Whether the client has closed the connection."""
        return self._cycle is not None and bool(self._cycle.disconnected)
