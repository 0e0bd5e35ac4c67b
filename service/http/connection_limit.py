"""Limits the number of connections. At the limit, the connection that has been idle longest is closed for a new one.

::

    a new connection ── the limit is not reached ───────────> served
                     ├─ it is, and some are idle ───────────> served; the longest idle one is asked to end
                     ├─ it is, and all are busy ────────────> health probes and metrics are answered, all else gets 503
                     └─ 1,024 such connections are open too > as before, and the oldest of these is closed

Where the system's limit of open files is low, both numbers are smaller.
"""

from typing import Final, NamedTuple, Protocol

MOST_FURTHER_CONNECTIONS: Final = 1024
_FURTHER_PART: Final = 4  # of the files that a low limit leaves, one in four is for further connections


class ConnectionCounts(NamedTuple):
    """How many connections may be open.

    Attributes:
        served: connections whose requests are all answered.
        further: connections beside them, for health probes and metrics.
    """

    served: int
    further: int = MOST_FURTHER_CONNECTIONS

    @classmethod
    def within(cls, files: int, wanted: int) -> "ConnectionCounts":
        """Divides a number of files.

        Args:
            files: that connections may use.
            wanted: connections that are to be served.
        """
        served = min(wanted, files - min(MOST_FURTHER_CONNECTIONS, files // _FURTHER_PART))
        return cls(served, min(MOST_FURTHER_CONNECTIONS, files - served))


class LimitedConnection(Protocol):
    """What the limit needs of a connection."""

    def shutdown(self) -> None:
        """Closes it after the request in progress, or after one that is already on its way."""

    def abort(self) -> None:
        """Closes it at once."""


class ConnectionLimit:
    """Counts the connections of one process.

    Args:
        most: connections that may be open.

    Attributes:
        surplus: connections that were accepted while all were busy, the oldest one first.
    """

    def __init__(self, most: ConnectionCounts) -> None:
        self._most = most.served
        self._most_open = most.served + most.further
        self._open = 0
        self._idle: dict[LimitedConnection, None] = {}  # the longest idle one first
        self._ending: dict[LimitedConnection, None] = {}  # asked to end, and still there
        self.surplus: dict[LimitedConnection, None] = {}
        self._aborted: set[LimitedConnection] = set()  # closed, and not yet removed

    @property
    def has_room(self) -> bool:
        """Whether the connections, without those that are about to end, are within the limit."""
        return self._open - len(self._ending) - len(self._aborted) <= self._most

    def add(self, connection: LimitedConnection) -> None:
        """Counts a new connection, which is idle until its first byte comes."""
        self._open += 1
        if not self.has_room:
            if self._idle:
                longest_idle = next(iter(self._idle))
                del self._idle[longest_idle]
                self.surplus.pop(longest_idle, None)
                self._ending[longest_idle] = None
                longest_idle.shutdown()
            else:
                self.surplus[connection] = None
        if self._open - len(self._aborted) > self._most_open:
            # The new connection is kept instead of an old one, because it may be a health probe.
            oldest = next(iter(self._ending or self.surplus))
            self._ending.pop(oldest, None)
            self.surplus.pop(oldest, None)
            self._idle.pop(oldest, None)
            self._aborted.add(oldest)
            oldest.abort()
        if connection not in self._aborted:
            self._idle[connection] = None

    def remove(self, connection: LimitedConnection) -> None:
        """Forgets a connection that was lost."""
        self._open -= 1
        self._aborted.discard(connection)
        for connections in (self._idle, self._ending, self.surplus):
            connections.pop(connection, None)

    def serves(self, connection: LimitedConnection) -> bool:
        """Whether all requests of a connection are answered, and not only probes."""
        if connection in self.surplus and self.has_room:
            del self.surplus[connection]
        return connection not in self.surplus

    def mark_idle(self, connection: LimitedConnection) -> None:
        """Notes that a connection waits for its next request from now on."""
        if connection not in self._ending and connection not in self._aborted:
            self._idle[connection] = None

    def mark_busy(self, connection: LimitedConnection) -> None:
        """Notes that a connection has received something."""
        self._idle.pop(connection, None)
