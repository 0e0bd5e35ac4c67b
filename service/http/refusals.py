"""Answers that a connection gives without calling the app."""

from typing import Final

from service.api.context import AppState, begin, context_of
from service.api.problems import LEAST_RETRY_AFTER_S, problem, reply
from service.api.request_log import RequestLog
from service.api.request_middleware import RequestMiddleware
from service.errors import OverloadedError
from service.http.asgi import ASGIApp, Headers, Receive, Scope, Send
from service.http.request_head import HeadError
from service.telemetry.failure import Failure

REFUSAL: Final = "refusal"
"""The key of a scope under which a connection puts the error that it refuses the request with."""

_CLOSE: Headers = [(b"connection", b"close")]
_PROBES = ("/health/live", "/health/ready", "/metrics")

__all__ = ["LEAST_RETRY_AFTER_S", "REFUSAL", "counted_refusals", "is_probe", "refuse", "too_many_connections"]


def is_probe(method: str, path: str) -> bool:
    """Whether a request is for the service's health or its metrics, under any prefix.

    These are answered also beyond the limit of connections, because an orchestrator would restart a busy service.
    """
    return method in ("GET", "HEAD") and path.rstrip("/").endswith(_PROBES)


def too_many_connections() -> OverloadedError:
    """The error for a request on a connection beyond the limit."""
    return OverloadedError("the service has reached its limit of connections", LEAST_RETRY_AFTER_S)


async def refuse(scope: Scope, _receive: Receive, send: Send) -> None:
    """Answers a request with the error in its scope, after which the connection is closed."""
    error: HeadError | OverloadedError = scope[REFUSAL]
    if isinstance(error, HeadError):
        answer = reply(error.status, error.detail)
    else:
        answer = problem(error)
        context_of(scope).failure = Failure.of(error)
    await answer._replace(headers=[*answer.headers, *_CLOSE]).send(send)


def counted_refusals(state: AppState, log: RequestLog) -> ASGIApp:
    """Makes an app that refuses requests as :func:`refuse` does, with a request id, metrics and the request log."""
    layer = RequestMiddleware(refuse, state.metrics, log, None)

    async def refuse_and_count(scope: Scope, receive: Receive, send: Send) -> None:
        begin(scope, state, "")
        await layer(scope, receive, send)

    return refuse_and_count
