"""Decides whether the key of a request allows the request."""

import math

from limits import RateLimitItem
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from service.access.api_key import ApiKey, key_id, make_key
from service.access.key_file import KeyFile
from service.access.shared_rates import SharedRates
from service.declarations import KeyScope
from service.errors import ForbiddenError, RateLimitedError, UnauthenticatedError

_SEND_ONE = "send one as `authorization: Bearer KEY` or `x-api-key: KEY`"  # gRPC allows no capital letters


class AccessControl:
    """Checks requests by their keys.

    Args:
        keys: the known keys.
        rates: counts requests over all workers; None: they are counted in this process only.
    """

    def __init__(self, keys: KeyFile, rates: SharedRates | None = None) -> None:
        self._keys = keys
        self._counts = rates or MemoryStorage()
        self._limiter = SlidingWindowCounterRateLimiter(self._counts)
        self._rates: dict[str, RateLimitItem | None] = {}
        _, self._nobody = make_key("nobody", frozenset(("predict",)), None)

    async def admit(self, key: str | None, scope: KeyScope, cost: int = 1) -> ApiKey:
        """Checks the key of a request, and counts the request in its rate.

        Args:
            key: of the request, or None.
            scope: the scope that the request needs.
            cost: how many requests it counts as in the rate of its key.

        Returns:
            The entry of the key.

        Raises:
            UnauthenticatedError: there is no key, or none that is known.
            ForbiddenError: the key does not have the scope.
            RateLimitedError: the key has been used too often; the error says when to try again.
        """
        if key is None:
            raise UnauthenticatedError(f"this needs a key; {_SEND_ONE}")
        identity = key_id(key)
        known = (identity and self._keys.find(identity)) or self._nobody
        if not known.matches(key):
            raise UnauthenticatedError(f"the key is not known here; {_SEND_ONE}")
        if scope not in known.scopes:
            raise ForbiddenError(
                f"key {known.id} is for {', '.join(sorted(known.scopes))}; this needs the scope {scope}"
            )
        if known.rate_limit is not None:
            await self._count(known, known.rate_limit, cost)
        return known

    async def _count(self, key: ApiKey, text: str, cost: int) -> None:
        rate = self._rates.get(text) or self._rates.setdefault(text, key.rate())
        if rate is not None and cost > rate.amount:
            raise ForbiddenError(
                f"key {key.id} may make {text} requests, and this one counts as {cost}; it needs a key of a higher rate"
            )
        if rate is not None and not await self._limiter.hit(rate, key.id, cost=cost):
            window = await self._counts.get_sliding_window(rate.key_for(key.id), rate.get_expiry())
            used, wait_s = _until_allowed(rate, cost, window)
            left = f"this one counts as {cost}, and {rate.amount - used} are left" if cost > 1 else "these are used up"
            raise RateLimitedError(f"key {key.id} may make {text} requests; {left}", wait_s)


def _until_allowed(rate: RateLimitItem, cost: int, window: tuple[int, float, int, float]) -> tuple[int, int]:
    """How much of a rate is used, and when a request is within it, if no other is made until then.

    Args:
        rate: the rate.
        cost: how many requests the request counts as; at most the amount of the rate.
        window: the count of the last window, a share of which is used until the present one ends; the seconds until
            then; the count of the present window; the seconds until none of it is used.

    Returns:
        The used amount, and the whole seconds until the request is allowed, at least 1.
    """
    window_s, (previous, previous_s, current, current_s) = rate.get_expiry(), window
    room = rate.amount - cost + 1  # a request is allowed while the used amount, before it is rounded down, is less
    used = math.floor(previous * previous_s / window_s + current)
    if current < room:
        wait_s = previous_s - (room - current) * window_s / previous if previous else 0.0
    else:
        wait_s = current_s - room * window_s / current
    return min(used, rate.amount), max(1, math.floor(wait_s) + 1)
