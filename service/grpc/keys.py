"""Reads the key of a call, as over HTTP, from the metadata ``authorization`` or ``x-api-key``."""

from collections.abc import Iterable


def read_key(metadata: Iterable[tuple[str, str | bytes]]) -> str | None:
    """The key, or None where there is none.

    Args:
        metadata: of the call.
    """
    found = {name: value for name, value in metadata if isinstance(value, str)}
    kind, _, token = found.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else found.get("x-api-key")
