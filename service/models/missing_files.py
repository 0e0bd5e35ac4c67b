"""Tells files that were removed from files that are missing for a moment.

::

    a look without the file ─ one more look without it, some seconds later ─> gone
                            └ a look with it ─────────────────────────────> it was never missed
"""

from collections.abc import Iterable
from typing import Final

from service.inference import ModelKey

GONE_AFTER_S: Final = 2.0
"""How long a file must be missing before it counts as removed; a volume that is mounted again is briefly missing."""


class MissingFiles:
    """Since when the files of models are missing."""

    def __init__(self) -> None:
        self._since: dict[ModelKey, float] = {}

    def gone(self, missing: Iterable[ModelKey], now: float) -> set[ModelKey]:
        """Records one look at the repository.

        Args:
            missing: the models without a file; the others are no longer missing.
            now: on the monotonic clock, in seconds.

        Returns:
            Those that have been missing in every look of the last ``GONE_AFTER_S``, and before.
        """
        self._since = {key: self._since.get(key, now) for key in missing}
        return {key for key, since in self._since.items() if now - since >= GONE_AFTER_S}
