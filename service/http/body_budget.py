"""Limits the bytes that the requests of all connections hold at once: bodies, decoded pictures, and answers."""

from service.errors import OverloadedError

UNCOUNTED_BYTES = 16_384
"""Bodies up to this length are not counted, which saves time for most requests; `max_connections` limits their sum."""

_RETRY_AFTER_S = 1.0


class BodyBudget:
    """Counts the bytes that requests hold: received and decompressed bodies, decoded pictures, unsent answers.

    Args:
        max_bytes: most bytes held.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._held = 0

    @property
    def held(self) -> int:
        """Bytes held now."""
        return self._held

    def require(self, count: int) -> None:
        """Checks that there is room for further bytes, without counting them.

        Raises:
            OverloadedError: there is none.
        """
        if self._held + count > self._max_bytes:
            raise self.no_room()

    def no_room(self) -> OverloadedError:
        """Makes the error for a request that does not fit."""
        return OverloadedError(
            f"the requests in flight fill the {self._max_bytes} bytes that bodies and answers may hold together",
            _RETRY_AFTER_S,
        )

    def take(self, count: int) -> None:
        """Adds to the bytes that are held. Each call needs one of :meth:`give_back`.

        Raises:
            OverloadedError: there is no room for them.
        """
        self.require(count)
        self._held += count

    def give_back(self, count: int) -> None:
        """Subtracts from the bytes that are held."""
        self._held -= count
