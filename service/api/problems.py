"""Errors as ``application/problem+json`` (RFC 9457), and the one table from domain errors to statuses."""

import math
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson

from service.errors import (
    ConvoyError,
    DeadlineExceededError,
    ForbiddenError,
    ImageFault,
    InferenceFailedError,
    InvalidImagesError,
    MalformedRequestError,
    ModelControlOffError,
    ModelNotFoundError,
    ModelRefusedError,
    NotAcceptableError,
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


class Failure(NamedTuple):
    """The HTTP answer to a kind of error.

    Attributes:
        status: of the answer.
        when: when it is sent, for the documentation.
    """

    status: HTTPStatus
    when: str


FAILURES: Mapping[type[ConvoyError], Failure] = MappingProxyType(
    {
        MalformedRequestError: Failure(
            HTTPStatus.BAD_REQUEST,
            "The body, a tensor or a parameter is not well-formed, or of the wrong shape or type.",
        ),
        UnauthenticatedError: Failure(HTTPStatus.UNAUTHORIZED, "No key, or none that is known."),
        ForbiddenError: Failure(HTTPStatus.FORBIDDEN, "The key does not have the scope."),
        ModelControlOffError: Failure(
            HTTPStatus.FORBIDDEN, "Loading and unloading by request is off; the setting `model_control` turns it on."
        ),
        ModelNotFoundError: Failure(HTTPStatus.NOT_FOUND, "No such model or version."),
        SlowBodyError: Failure(HTTPStatus.REQUEST_TIMEOUT, "The body came too slowly."),
        NotAcceptableError: Failure(HTTPStatus.NOT_ACCEPTABLE, "`Accept` lists no kind of answer that can be sent."),
        TooLargeError: Failure(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "Too many bytes, pixels, images or JSON elements."),
        UnsupportedMediaTypeError: Failure(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "The Content-Type or Content-Encoding is not supported."
        ),
        InvalidImagesError: Failure(
            HTTPStatus.UNPROCESSABLE_ENTITY, "Some pictures cannot be used; the answer names each."
        ),
        ModelRefusedError: Failure(
            HTTPStatus.UNPROCESSABLE_ENTITY, "A model file fails its checks; the version before still answers."
        ),
        RateLimitedError: Failure(
            HTTPStatus.TOO_MANY_REQUESTS, "The key has been used too often. `Retry-After` says when to try again."
        ),
        InferenceFailedError: Failure(HTTPStatus.INTERNAL_SERVER_ERROR, "The model failed on this batch."),
        ProviderUnavailableError: Failure(
            HTTPStatus.INTERNAL_SERVER_ERROR, "The execution provider cannot be used here."
        ),
        OverloadedError: Failure(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "The queue, memory, connections, threads or gRPC streams are at their limit. `Retry-After` says when to "
            "try again.",
        ),
        UnavailableError: Failure(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "The model is being unloaded, cannot be loaded now, or its file was changed or removed.",
        ),
        DeadlineExceededError: Failure(HTTPStatus.GATEWAY_TIMEOUT, "Not answered within the time limit."),
    }
)
"""The one table from errors to statuses. The OpenAPI document and `docs/api.md` say the same; a test compares them."""

_MAX_FAULTS = 100
LONGEST_DETAIL = 1000
_LONGEST_NAME = 255


class Explanation(NamedTuple):
    """The HTTP answer to an error, in any document format.

    Attributes:
        status: of the answer.
        detail: what is wrong and what is allowed.
        headers: further headers.
    """

    status: HTTPStatus
    detail: str
    headers: Headers


def explain(error: Exception) -> Explanation:
    """Finds the status and text for any exception. The text of an unexpected one is only in the log.

    Args:
        error: the error that ended the request.

    Returns:
        The answer to the client.
    """
    failure = next((FAILURES[kind] for kind in type(error).__mro__ if kind in FAILURES), None)
    if failure is None:
        return Explanation(HTTPStatus.INTERNAL_SERVER_ERROR, "the service failed on this request; its log says why", [])
    headers: Headers = []
    if isinstance(error, UnauthenticatedError):
        headers.append((b"www-authenticate", b"Bearer"))
    elif isinstance(error, OverloadedError | RateLimitedError):
        headers.append((b"retry-after", b"%d" % max(LEAST_RETRY_AFTER_S, math.ceil(error.retry_after_s))))
    return Explanation(failure.status, shorten(str(error), LONGEST_DETAIL), headers)


def is_open_inference(path: str) -> bool:
    """Whether a path belongs to the Open Inference Protocol, which has its own error document."""
    return path == "/v2" or path.startswith("/v2/")


def shorten(text: str, most: int) -> str:
    """The first ``most`` characters of a text, so that answers do not repeat long texts of clients."""
    return text if len(text) <= most else text[: most - 1] + "…"


def problem(error: Exception) -> Reply:
    """Makes the answer for any exception. The text of an unexpected one is only in the log.

    Args:
        error: the error that ended the request.

    Returns:
        The answer to send.
    """
    status, detail, headers = explain(error)
    extra: dict[str, Any] = {}
    if isinstance(error, InvalidImagesError):
        faults = [
            {
                "index": fault.index,
                "filename": fault.filename and shorten(fault.filename, _LONGEST_NAME),
                "detail": shorten(fault.reason, LONGEST_DETAIL),
            }
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
        detail: what is wrong and what is allowed.
        extra: further members.
        headers: further headers.

    Returns:
        The answer to send.
    """
    body = orjson.dumps(_document(status, detail) | (extra or {}))
    return Reply(status.value, body, MEDIA_TYPE.encode(), headers or [])


def picture_problem(fault: ImageFault) -> dict[str, Any]:
    """The problem document of one picture, which replaces its prediction."""
    kind = TooLargeError if fault.is_too_large else InvalidImagesError
    return _document(FAILURES[kind].status, fault.reason)


def _document(status: HTTPStatus, detail: str) -> dict[str, Any]:
    return {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "detail": shorten(detail, LONGEST_DETAIL),
    }
