"""What can go wrong, in the service's own words.

::

    ConvoyError
    ├── ModelNotFoundError          no such model or version
    ├── ModelControlOffError        models may not be loaded and unloaded by requests here
    ├── ModelRefusedError           a model file that may not serve, and why
    │   └── ModelLoadFailedError        it could not be loaded for a reason that may pass
    ├── ProviderUnavailableError    the execution provider that was asked for cannot be used here
    ├── SettingError                a setting that this installation cannot honour
    ├── ScoringError                pictures that cannot be scored, or a table that cannot be written, and why
    ├── KeyFileError                the file of API keys cannot be used, and why
    ├── AccessError                 the key that came with a request does not let it in
    │   ├── UnauthenticatedError        no key, or none that is known
    │   ├── ForbiddenError              the key is for something else
    │   └── RateLimitedError            the key has been used too often; says when to come back
    ├── RequestError                what the client sent cannot be answered
    │   ├── MalformedRequestError       not the JSON, multipart or parameter that it says it is
    │   ├── UnsupportedMediaTypeError   a kind of body that the service does not read
    │   ├── NotAcceptableError          a kind of answer that the service does not write
    │   ├── TooLargeError               more bytes, pixels or images than allowed
    │   │   └── TooLargeImagesError         some of the pictures have too many pixels; says which
    │   ├── InvalidImagesError          some of the pictures cannot be used; says which and why
    │   ├── SlowBodyError               the body did not arrive in time
    │   └── ClientGoneError             the client has left; nobody waits for an answer
    └── RefusedError                a good request that cannot be answered now
        ├── OverloadedError             the queue is full; says when to come back
        ├── UnavailableError            starting or shutting down
        ├── DeadlineExceededError       not answered within its time limit
        └── InferenceFailedError        the runtime failed on its batch

None of them knows HTTP: `service/api/problems.py` holds the one table from these to statuses.
"""

from collections.abc import Sequence
from dataclasses import dataclass


class ConvoyError(Exception):
    """Base of everything that the service raises on purpose. The message is written for the client."""


class ModelNotFoundError(ConvoyError):
    """No model of that name, or no such version of it, is being served."""


class LabelNotFoundError(ModelNotFoundError):
    """A model has no such class."""


class ModelControlOffError(ConvoyError):
    """Requests may not load and unload models; the setting ``model_control`` would allow it."""


class ModelRefusedError(ConvoyError):
    """A model file that fails its checks. The message names the file and the check."""


class ModelLoadFailedError(ModelRefusedError):
    """A model file could not be loaded for a reason that may pass: it cannot be read, or time or memory ran out."""


class ProviderUnavailableError(ConvoyError):
    """The execution provider that was asked for cannot be used on this machine. The message says what is missing."""


class SettingError(ConvoyError):
    """A setting asks for what this installation does not have. The message says what to install."""


class ScoringError(ConvoyError):
    """``convoy score`` cannot read its input or write its table. The message names the file."""


class KeyFileError(ConvoyError):
    """The file of API keys cannot be read or is not as it should be. The message names the place."""


class AccessError(ConvoyError):
    """The key that came with a request does not let it in. No message holds a key."""


class UnauthenticatedError(AccessError):
    """No key came with the request, or none that is known."""


class ForbiddenError(AccessError):
    """The key is known, and is for something else."""


class RateLimitedError(AccessError):
    """The key has been used too often.

    Attributes:
        retry_after_s: when it may be used again.
    """

    def __init__(self, message: str, retry_after_s: float) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(message)


class RequestError(ConvoyError):
    """What the client sent cannot be answered, now or later."""


class MalformedRequestError(RequestError):
    """The body or a parameter is not well-formed."""


class UnsupportedMediaTypeError(RequestError):
    """The body is of a kind that the service does not read."""


class NotAcceptableError(RequestError):
    """The client accepts no kind of answer that the service writes."""


class TooLargeError(RequestError):
    """More bytes, pixels or images than allowed. The message gives the limit."""


@dataclass(frozen=True, slots=True)
class ImageFault:
    """Why one picture of a request cannot be used.

    Attributes:
        index: its place among the request's pictures, from 0.
        filename: as the client named it, or None.
        reason: what is wrong and what would be right.
        is_too_large: it has more pixels than allowed; otherwise it cannot be read.
    """

    index: int
    filename: str | None
    reason: str
    is_too_large: bool = False


class TooLargeImagesError(TooLargeError):
    """Some of a request's pictures have more pixels than allowed.

    Attributes:
        faults: each of them, and each picture whose headers cannot be read, in the order sent.
    """

    def __init__(self, faults: Sequence[ImageFault]) -> None:
        self.faults = tuple(faults)
        first = next(fault for fault in self.faults if fault.is_too_large)
        name = f" ({first.filename})" if first.filename else ""
        super().__init__(f"image {first.index}{name}: {first.reason}")


class InvalidImagesError(RequestError):
    """Some of a request's pictures cannot be used.

    Attributes:
        faults: each offender, in the order sent.
    """

    def __init__(self, faults: Sequence[ImageFault]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(f"image {fault.index}: {fault.reason}" for fault in self.faults[:3]))


class SlowBodyError(RequestError):
    """The body did not arrive within the time limit."""


class ClientGoneError(RequestError):
    """The client closed the connection before its answer was made; there is nobody to tell."""


class RefusedError(ConvoyError):
    """A good request that cannot be answered now; the same request may succeed later."""


class OverloadedError(RefusedError):
    """The queue is full.

    Attributes:
        retry_after_s: when there should be room, from the speed measured lately.
    """

    def __init__(self, message: str, retry_after_s: float) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(message)


class UnavailableError(RefusedError):
    """The service is starting or shutting down."""


class DeadlineExceededError(RefusedError):
    """The request was not answered within its time limit."""


class InferenceFailedError(RefusedError):
    """The runtime failed on the batch that the request rode in."""
