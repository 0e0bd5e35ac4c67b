"""Which connections may be open: at most so many, of which those that are idle make room for new ones.

::

    a new connection ── there is room ──────────────────────> served
                     ├─ another has been idle ──────────────> served; the longest idle one is asked to end
                     ├─ all are busy ───────────────────────> health probes and metrics are answered, all else gets 503
                     └─ so are the further ones allowed ────> closed
"""

from typing import Protocol

MOST_FURTHER_CONNECTIONS = 1024


class LimitedConnection(Protocol):
    """What the limit needs to know of a connection.

    Attributes:
        is_surplus: whether only probes are answered on it.
    """

    is_surplus: bool

    def shutdown(self) -> None:
        """Ends it after the request that it is busy with or that is already on its way."""

    def abort(self) -> None:
        """Ends it at once."""


class ConnectionLimit:
    """Counts the connections of one process.

    Args:
        most: connections that are served.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._open = 0
        self._idle: dict[LimitedConnection, None] = {}  # the longest idle one first
        self._ending: dict[LimitedConnection, None] = {}  # asked to end, and still there

    @property
    def has_room(self) -> bool:
        """Whether the connections that will stay are no more than are served."""
        return self._open - len(self._ending) <= self._most

    def open(self, connection: LimitedConnection) -> bool:
        """Counts a new connection in; it is idle until its first byte comes.

        Returns:
            Whether it may stay.
        """
        self._open += 1
        if not self.has_room:
            if self._idle:
                longest_idle = next(iter(self._idle))
                del self._idle[longest_idle]
                self._ending[longest_idle] = None
                longest_idle.shutdown()
            else:
                connection.is_surplus = True
        if self._open > self._most + MOST_FURTHER_CONNECTIONS:
            if not self._ending:
                return False
            next(iter(self._ending)).abort()
        self._idle[connection] = None
        return True

    def close(self, connection: LimitedConnection) -> None:
        """Counts a connection out."""
        self._open -= 1
        self._idle.pop(connection, None)
        self._ending.pop(connection, None)

    def rest(self, connection: LimitedConnection) -> None:
        """A connection has become idle: its last request is whole and answered."""
        if connection not in self._ending:
            self._idle[connection] = None

    def work(self, connection: LimitedConnection) -> None:
        """Something has come on a connection."""
        self._idle.pop(connection, None)
