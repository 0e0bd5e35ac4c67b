"""The protocol's error document, ``{"error": "..."}``, with the statuses of the service's one table."""

from http import HTTPStatus

import orjson

from service.api.problems import LONGEST_DETAIL, explain, shorten
from service.http.asgi import Headers, Reply


def error_reply(error: Exception) -> Reply:
    """Makes the answer for any exception.

    Args:
        error: the error that ended the request.

    Returns:
        The answer to send.
    """
    return error_document(*explain(error))


def error_document(status: HTTPStatus, detail: str, headers: Headers) -> Reply:
    """One error document.

    Args:
        status: of the answer.
        detail: what is wrong and what is allowed.
        headers: further headers.

    Returns:
        The answer to send.
    """
    return Reply(status.value, orjson.dumps({"error": shorten(detail, LONGEST_DETAIL)}), b"application/json", headers)
