"""How many bytes requests may hold at once, over all connections: bodies, pictures made of them, and answers."""

from service.errors import OverloadedError

UNCOUNTED_BYTES = 16_384
"""Bodies up to this length are not counted, which saves most requests the work; `max_connections` limits their sum."""

_RETRY_AFTER_S = 1.0


class BodyBudget:
    """Counts the bytes that requests hold: what came of a body, what was inflated, decoded pictures, unsent answers.

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
        """Checks that there is room for further bytes, and does not count them.

        Raises:
            OverloadedError: there is none.
        """
        if self._held + count > self._max_bytes:
            raise self.no_room()

    def no_room(self) -> OverloadedError:
        """The error of a request that finds no room."""
        return OverloadedError(
            f"the requests in flight fill the {self._max_bytes} bytes that bodies and answers may hold together",
            _RETRY_AFTER_S,
        )

    def take(self, count: int) -> None:
        """Counts bytes in. Each call is matched by :meth:`give_back`.

        Raises:
            OverloadedError: there is no room for them.
        """
        self.require(count)
        self._held += count

    def give_back(self, count: int) -> None:
        """Counts bytes out."""
        self._held -= count
