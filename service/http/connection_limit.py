"""Limits the number of connections. Where the limit is reached, the longest idle connection makes room for a new one.

::

    a new connection ── the limit is not reached ───────────> served
                     ├─ it is, and some are idle ───────────> served; the longest idle one is asked to end
                     ├─ it is, and all are busy ────────────> health probes and metrics are answered, all else gets 503
                     └─ 1,024 such connections are open too > closed
"""

from typing import Protocol

MOST_FURTHER_CONNECTIONS = 1024


class LimitedConnection(Protocol):
    """What the limit needs of a connection.

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
        """Whether the connections, without those that were asked to end, are within the limit."""
        return self._open - len(self._ending) <= self._most

    def add(self, connection: LimitedConnection) -> bool:
        """Counts a new connection, which is idle until its first byte comes.

        Returns:
            False where it must be closed at once.
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

    def remove(self, connection: LimitedConnection) -> None:
        """Forgets a connection that was lost."""
        self._open -= 1
        self._idle.pop(connection, None)
        self._ending.pop(connection, None)

    def mark_idle(self, connection: LimitedConnection) -> None:
        """Notes that a connection waits for its next request from now on."""
        if connection not in self._ending:
            self._idle[connection] = None

    def mark_busy(self, connection: LimitedConnection) -> None:
        """Notes that a connection has received something."""
        self._idle.pop(connection, None)
