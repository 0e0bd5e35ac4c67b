"""Keeps the reason of an error for metrics and log, without its frames.

An exception refers to its traceback, the traceback to frames, and frames to the request's body and pictures. If one of
these frames refers to the exception, this is a reference cycle, and many megabytes stay until the garbage collector
finds them. So metrics and log get only a few words, and the frames are released at once.
"""

import traceback
from collections.abc import Iterator
from typing import Final, NamedTuple, Self

from service.errors import ConvoyError, InferenceFailedError

CLIENT_GONE_STATUS: Final = 499
"""The status in metrics and log where the client left before the answer, as nginx writes it."""


class Failure(NamedTuple):
    """Why a request failed, without the exception.

    Attributes:
        reason: the error's own name for one of the service's, such as ``invalid_images``; ``internal`` for any other.
        traceback: its text for unexpected errors of the service; None for all others.
    """

    reason: str
    traceback: str | None

    @classmethod
    def of(cls, error: Exception) -> Self:
        """Makes a failure from an error, and releases the error's frames.

        Args:
            error: the error that ended a request. Afterwards it has no traceback.
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
    """Releases everything that an error and its causes refer to through their tracebacks.

    Args:
        error: an error that has been handled. Its own traceback is dropped. Those of its causes, which several requests
            of one batch may share, keep their lines but lose the variables of the frames.
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
