"""One API key: a random secret for its owner, and an entry with its hash for the service.

A key is ``convoy_<id>_<secret>``. The id identifies its entry and may be logged. The secret has 256 random bits, so its
plain SHA-256 cannot be inverted. A slow hash is needed only for passwords that can be guessed, and would slow down
every request.
"""

import hashlib
import hmac
import re
import secrets
from typing import Annotated

from limits import RateLimitItem, parse, parse_many
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from service.declarations import KeyScope

_KEY = re.compile(r"convoy_([0-9a-f]{12})_[A-Za-z0-9_-]{43}")
_SECRET_BYTES = 32
_ZERO = re.compile(r"(?<!\d)0+(?!\d)")


def _is_rate(text: str) -> str:
    try:
        rates = len(parse_many(text))
    except ValueError:
        rates = 0
    if rates != 1 or _ZERO.search(text):  # limits reads "10/0 minutes" as 10/minute
        raise ValueError("a rate limit is one rate, for example 100/second or 5000/hour")
    return text


RateLimit = Annotated[str, AfterValidator(_is_rate)]


class ApiKey(BaseModel):
    """The service's entry of a key.

    Attributes:
        id: identifies the key, also in logs.
        name: the owner of the key.
        sha256: of the whole key, in hexadecimal.
        scopes: what the key allows.
        rate_limit: most requests, such as ``100/second`` or ``5000 per hour``; None is no limit.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, Field(pattern=r"^[0-9a-f]{12}$")]
    name: Annotated[str, Field(min_length=1, max_length=100)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    scopes: Annotated[frozenset[KeyScope], Field(min_length=1)]
    rate_limit: RateLimit | None = None

    def matches(self, key: str) -> bool:
        """Whether a key belongs to this entry; compared in constant time."""
        return hmac.compare_digest(_digest(key), self.sha256)

    def rate(self) -> RateLimitItem | None:
        """The rate limit, parsed."""
        return None if self.rate_limit is None else parse(self.rate_limit)


def key_id(key: str) -> str | None:
    """The id inside a key; None where the text is not a key."""
    found = _KEY.fullmatch(key)
    return found and found[1]


def make_key(name: str, scopes: frozenset[KeyScope], rate_limit: str | None) -> tuple[str, ApiKey]:
    """Makes a new key.

    Args:
        name: the owner of the key.
        scopes: what the key allows.
        rate_limit: most requests, or None.

    Returns:
        The key, which cannot be shown again later, and its entry.
    """
    identity = secrets.token_hex(6)
    key = f"convoy_{identity}_{secrets.token_urlsafe(_SECRET_BYTES)}"
    return key, ApiKey(id=identity, name=name, sha256=_digest(key), scopes=scopes, rate_limit=rate_limit)


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
