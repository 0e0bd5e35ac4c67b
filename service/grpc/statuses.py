"""Errors as gRPC statuses: the one table from domain errors to codes."""

from typing import NamedTuple

import grpc

from service.errors import (
    ConvoyError,
    DeadlineExceededError,
    ForbiddenError,
    InferenceFailedError,
    InvalidImagesError,
    MalformedRequestError,
    ModelControlOffError,
    ModelNotFoundError,
    ModelRefusedError,
    OverloadedError,
    ProviderUnavailableError,
    RateLimitedError,
    SlowBodyError,
    TooLargeError,
    UnauthenticatedError,
    UnavailableError,
)

CODES: dict[type[ConvoyError], grpc.StatusCode] = {
    MalformedRequestError: grpc.StatusCode.INVALID_ARGUMENT,
    InvalidImagesError: grpc.StatusCode.INVALID_ARGUMENT,
    TooLargeError: grpc.StatusCode.INVALID_ARGUMENT,
    ModelNotFoundError: grpc.StatusCode.NOT_FOUND,
    UnauthenticatedError: grpc.StatusCode.UNAUTHENTICATED,
    ForbiddenError: grpc.StatusCode.PERMISSION_DENIED,
    RateLimitedError: grpc.StatusCode.RESOURCE_EXHAUSTED,
    ModelControlOffError: grpc.StatusCode.PERMISSION_DENIED,
    ModelRefusedError: grpc.StatusCode.FAILED_PRECONDITION,
    OverloadedError: grpc.StatusCode.UNAVAILABLE,
    UnavailableError: grpc.StatusCode.UNAVAILABLE,
    DeadlineExceededError: grpc.StatusCode.DEADLINE_EXCEEDED,
    SlowBodyError: grpc.StatusCode.DEADLINE_EXCEEDED,
    InferenceFailedError: grpc.StatusCode.INTERNAL,
    ProviderUnavailableError: grpc.StatusCode.INTERNAL,
}


class Status(NamedTuple):
    """The status with which a call ends.

    Attributes:
        code: of gRPC.
        details: what is wrong and what is allowed.
        trailing: further metadata.
    """

    code: grpc.StatusCode
    details: str
    trailing: tuple[tuple[str, str], ...] = ()


def status_of(error: Exception) -> Status:
    """Finds the status of any exception. The text of an unexpected one is only in the log.

    Args:
        error: the error that ended the call.
    """
    code = next((CODES[kind] for kind in type(error).__mro__ if kind in CODES), None)
    if code is None:
        return Status(grpc.StatusCode.INTERNAL, "the service failed on this request; its log says why")
    trailing: tuple[tuple[str, str], ...] = ()
    if isinstance(error, OverloadedError | RateLimitedError):
        # gRPC's equivalent of Retry-After, for clients with a retry policy.
        trailing = (("grpc-retry-pushback-ms", str(max(1, round(error.retry_after_s * 1e3)))),)
    return Status(code, str(error), trailing)
