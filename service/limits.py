"""The limits of one request, the same for every protocol."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """The limits of one request; each is set by a setting.

    Attributes:
        max_body_bytes: longest body, before and after decompression.
        max_images: most pictures.
        timeout_s: the time limit by default, and the longest that a request may ask for.
    """

    max_body_bytes: int
    max_images: int
    timeout_s: float
