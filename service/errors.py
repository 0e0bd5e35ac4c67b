"""The errors that the service raises on purpose.

::

    ConvoyError
    ├── ModelNotFoundError          no such model or version
    │   └── LabelNotFoundError          the model has no such class
    ├── ModelControlOffError        requests may not load and unload models in this service
    ├── ModelRefusedError           a model file fails its checks; says which
    │   └── ModelLoadFailedError        it could not be loaded, for a temporary reason
    ├── ProviderUnavailableError    the execution provider that was asked for cannot be used here
    ├── SettingError                a setting cannot be used in this installation; says why
    ├── ScoringError                pictures cannot be scored, or a table cannot be written; says why
    ├── KeyFileError                the file of API keys cannot be used; says why
    ├── AccessError                 the key of a request does not allow the request
    │   ├── UnauthenticatedError        no key, or none that is known
    │   ├── ForbiddenError              the key has another scope
    │   └── RateLimitedError            the key has been used too often; says when to try again
    ├── RequestError                the request is not valid and cannot be answered
    │   ├── MalformedRequestError       its JSON, multipart body or parameter is not valid
    │   ├── UnsupportedMediaTypeError   a kind of body that the service does not read
    │   ├── NotAcceptableError          a kind of answer that the service does not write
    │   ├── TooLargeError               more bytes, pixels or images than allowed
    │   │   └── TooLargeImagesError         some of the pictures have too many pixels; says which
    │   ├── InvalidImagesError          some of the pictures cannot be used; says which and why
    │   ├── SlowBodyError               the body did not arrive in time
    │   └── ClientGoneError             the client has disconnected and waits for no answer
    └── RefusedError                a valid request cannot be answered now
        ├── OverloadedError             a limit is reached; says when to try again
        ├── UnavailableError            the model cannot be used now; says why
        ├── DeadlineExceededError       not answered within its time limit
        └── InferenceFailedError        the runtime failed on its batch

They do not depend on HTTP: `service/api/problems.py` has the one table from errors to statuses.
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
    """A model file could not be loaded for a temporary reason: it cannot be read, or time or memory ran out."""


class ProviderUnavailableError(ConvoyError):
    """The execution provider that was asked for cannot be used on this machine. The message says what is missing."""


class SettingError(ConvoyError):
    """A setting cannot be used in this installation. The message says why, and names what is to be installed."""


class ScoringError(ConvoyError):
    """``convoy score`` cannot read its input or write its table. The message names the file."""


class KeyFileError(ConvoyError):
    """The file of API keys cannot be read or is not valid. The message names the place."""


class AccessError(ConvoyError):
    """The key of a request does not allow the request. The message never contains a key."""


class UnauthenticatedError(AccessError):
    """No key came with the request, or none that is known."""


class ForbiddenError(AccessError):
    """The key is known, but its scope does not include this request."""


class RateLimitedError(AccessError):
    """The key has been used too often.

    Attributes:
        retry_after_s: seconds until it may be used again.
    """

    def __init__(self, message: str, retry_after_s: float) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(message)


class RequestError(ConvoyError):
    """The request cannot be answered, now or later."""


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
        index: of the picture in its request, from 0.
        filename: as the client named it, or None.
        reason: what is wrong and what is allowed.
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
        faults: one for each such picture, in the order sent.
    """

    def __init__(self, faults: Sequence[ImageFault]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(f"image {fault.index}: {fault.reason}" for fault in self.faults[:3]))


class SlowBodyError(RequestError):
    """The body did not arrive within the time limit."""


class ClientGoneError(RequestError):
    """The client closed the connection before its answer was ready. It gets no message."""


class RefusedError(ConvoyError):
    """A valid request cannot be answered now; the same request may succeed later."""


class OverloadedError(RefusedError):
    """The queue, memory, connections, threads or gRPC streams are at their limit. The message says which.

    Attributes:
        retry_after_s: seconds until there should be room; for the queue, estimated from the latest runs.
    """

    def __init__(self, message: str, retry_after_s: float) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(message)


class UnavailableError(RefusedError):
    """The model is being unloaded, cannot be loaded now, or its file was changed or removed. The message says which."""


class DeadlineExceededError(RefusedError):
    """The request was not answered within its time limit."""


class InferenceFailedError(RefusedError):
    """The runtime failed on the batch that the request was in."""
