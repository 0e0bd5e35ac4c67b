"""How many bytes of request bodies may be held at once, over all connections."""

from service.errors import OverloadedError

_RETRY_AFTER_S = 1.0


class BodyBudget:
    """Counts the bytes of bodies that took a while to arrive, or grew by decompression, until their requests end.

    A small body that is here when its request begins lies in its connection's buffer, which has a limit of its own. It
    is not counted, so that the common request pays nothing.

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

    def take(self, count: int) -> None:
        """Counts bytes in. Each call is matched by :meth:`give_back`.

        Raises:
            OverloadedError: there is no room for them.
        """
        if self._held + count > self._max_bytes:
            raise OverloadedError(
                f"the request bodies in flight fill the {self._max_bytes} bytes allowed for all", _RETRY_AFTER_S
            )
        self._held += count

    def give_back(self, count: int) -> None:
        """Counts bytes out."""
        self._held -= count
