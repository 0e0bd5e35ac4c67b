"""The limits of one request, the same for every protocol."""

from dataclasses import dataclass

from service.errors import TooLargeError


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


def check_count(images: int, most: int) -> None:
    """Checks how many pictures a request has.

    Raises:
        TooLargeError: more than ``most``.
    """
    if images > most:
        raise TooLargeError(f"{images} images in one request; at most {most} are allowed")
