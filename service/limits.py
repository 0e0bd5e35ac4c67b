"""What bounds one request, by whatever protocol it comes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """The bounds, each a setting of the same name.

    Attributes:
        max_body_bytes: longest body, before and after decompression.
        max_images: most pictures.
        timeout_s: time limit of a request that asks for none, and the longest that it may ask for.
    """

    max_body_bytes: int
    max_images: int
    timeout_s: float
