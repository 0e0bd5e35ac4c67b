"""Checks path prefixes and addresses of proxies, in settings and in headers."""

import ipaddress
import re

_PREFIX = re.compile(r"(?:/[A-Za-z0-9._~-]+)+")
_DOT_SEGMENT = re.compile(r"/\.\.?(?:/|$)")
_LONGEST_PREFIX = 200


def is_prefix(text: str) -> bool:
    """Whether a text is a prefix such as ``/classify`` or ``/apis/classify``."""
    return len(text) <= _LONGEST_PREFIX and bool(_PREFIX.fullmatch(text)) and not _DOT_SEGMENT.search(text)


def check_prefix(text: str) -> str:
    """Returns a prefix, or an empty text for none.

    Raises:
        ValueError: it is neither; the message says what is allowed.
    """
    if text and not is_prefix(text):
        raise ValueError(
            f"{text[:64]!r} must be like /classify or /apis/classify: a slash before each name, none at the end, "
            "and names of letters, digits and . _ ~ -"
        )
    return text


def check_addresses(text: str) -> str:
    """Returns addresses and networks that are separated by commas.

    Raises:
        ValueError: one of them is not an address; the message says what is allowed.
    """
    for address in filter(None, (part.strip() for part in text.split(","))):
        if address != "*":
            try:
                ipaddress.ip_network(address)
            except ValueError:
                raise ValueError(
                    f"{address[:64]!r} must be an IP address, a network such as 10.0.0.0/8, or *"
                ) from None
    return text
