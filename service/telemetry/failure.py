"""What is kept of an error once its answer is made.

An exception holds its traceback, a traceback holds frames, and frames hold the request's body and pictures. Where the
exception is then reached from one of these frames, it is a reference cycle: many megabytes that stay until the garbage
collector finds them. So metrics and log get a few words instead, and the frames are let go at once.
"""

import traceback
from collections.abc import Iterator
from typing import NamedTuple, Self

from service.errors import ConvoyError, InferenceFailedError


class Failure(NamedTuple):
    """Why a request failed, without the exception.

    Attributes:
        reason: the error's own name for one of the service's, such as ``invalid_images``; ``internal`` for any other.
        traceback: text of it, where the fault is the service's; None where it is the client's, or nobody's.
    """

    reason: str
    traceback: str | None

    @classmethod
    def of(cls, error: Exception) -> Self:
        """Takes down what is to be known of an error, and releases what it holds.

        Args:
            error: that ended a request. It has no traceback afterwards.
        """
        is_ours = isinstance(error, InferenceFailedError) or not isinstance(error, ConvoyError)
        text = "".join(traceback.format_exception(error.__cause__ or error)) if is_ours else None
        release_frames(error)
        return cls(reason_of(type(error)), text)


def reason_of(kind: type[Exception]) -> str:
    """A word for a kind of error, as a label of metrics: InvalidImagesError is ``invalid_images``."""
    if not issubclass(kind, ConvoyError):
        return "internal"
    name = kind.__name__.removesuffix("Error")
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).removeprefix("_")


def release_frames(error: BaseException) -> None:
    """Lets go of everything that an error, and the errors that led to it, hold through their tracebacks.

    Args:
        error: that has been handled. Its own traceback is dropped; those of its causes, which several requests of one
            batch may share, keep their lines, without the frames' variables.
    """
    for link in _chain(error):
        traceback.clear_frames(link.__traceback__)
    error.__traceback__ = None


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    left: list[BaseException | None] = [error]
    while left:
        link = left.pop()
        if link is not None and id(link) not in seen:
            seen.add(id(link))
            left += (link.__cause__, link.__context__)
            yield link
