"""Errors as ``application/problem+json`` (RFC 9457), and the one table from domain errors to statuses."""

import math
from http import HTTPStatus
from typing import Any, NamedTuple

import orjson

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
    UnsupportedMediaTypeError,
)
from service.http.asgi import Headers, Reply

MEDIA_TYPE = "application/problem+json"
LEAST_RETRY_AFTER_S = 1
"""The header counts whole seconds."""

STATUSES: dict[type[ConvoyError], HTTPStatus] = {
    MalformedRequestError: HTTPStatus.BAD_REQUEST,
    ModelNotFoundError: HTTPStatus.NOT_FOUND,
    UnauthenticatedError: HTTPStatus.UNAUTHORIZED,
    ForbiddenError: HTTPStatus.FORBIDDEN,
    RateLimitedError: HTTPStatus.TOO_MANY_REQUESTS,
    TooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    UnsupportedMediaTypeError: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    InvalidImagesError: HTTPStatus.UNPROCESSABLE_ENTITY,
    ModelControlOffError: HTTPStatus.FORBIDDEN,
    ModelRefusedError: HTTPStatus.UNPROCESSABLE_ENTITY,
    InferenceFailedError: HTTPStatus.INTERNAL_SERVER_ERROR,
    ProviderUnavailableError: HTTPStatus.INTERNAL_SERVER_ERROR,
    SlowBodyError: HTTPStatus.REQUEST_TIMEOUT,
    OverloadedError: HTTPStatus.SERVICE_UNAVAILABLE,
    UnavailableError: HTTPStatus.SERVICE_UNAVAILABLE,
    DeadlineExceededError: HTTPStatus.GATEWAY_TIMEOUT,
}

_MAX_FAULTS = 100


class Explanation(NamedTuple):
    """An error as HTTP tells it, in whatever document.

    Attributes:
        status: of the answer.
        detail: what was wrong and what would be right.
        headers: further headers.
    """

    status: HTTPStatus
    detail: str
    headers: Headers


def explain(error: Exception) -> Explanation:
    """Finds the status of any exception. What the service did not raise on purpose stays in its log.

    Args:
        error: that ended a request.

    Returns:
        What to tell the client.
    """
    status = next((STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES), None)
    if status is None:
        return Explanation(HTTPStatus.INTERNAL_SERVER_ERROR, "the service failed on this request; its log says how", [])
    headers: Headers = []
    if isinstance(error, UnauthenticatedError):
        headers.append((b"www-authenticate", b"Bearer"))
    elif isinstance(error, OverloadedError | RateLimitedError):
        headers.append((b"retry-after", b"%d" % max(LEAST_RETRY_AFTER_S, math.ceil(error.retry_after_s))))
    return Explanation(status, str(error), headers)


def problem(error: Exception) -> Reply:
    """Puts any exception into an answer. What the service did not raise on purpose stays in its log.

    Args:
        error: that ended a request.

    Returns:
        The answer to send.
    """
    status, detail, headers = explain(error)
    extra: dict[str, Any] = {}
    if isinstance(error, InvalidImagesError):
        faults = [
            {"index": fault.index, "filename": fault.filename, "detail": fault.reason}
            for fault in error.faults[:_MAX_FAULTS]
        ]
        extra = {"errors": faults}
    return reply(status, detail, extra, headers)


def reply(
    status: HTTPStatus,
    detail: str,
    extra: dict[str, Any] | None = None,
    headers: Headers | None = None,
) -> Reply:
    """One problem document.

    Args:
        status: of the answer; its phrase is the title.
        detail: what was wrong and what would be right.
        extra: further members.
        headers: further headers.

    Returns:
        The answer to send.
    """
    document = {"type": "about:blank", "title": status.phrase, "status": status.value, "detail": detail}
    return Reply(status.value, orjson.dumps(document | (extra or {})), MEDIA_TYPE.encode(), headers or [])
