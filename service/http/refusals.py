"""Answers that a connection gives without calling the app."""

from service.api.problems import LEAST_RETRY_AFTER_S, problem, reply
from service.errors import OverloadedError
from service.http.asgi import ASGIApp, Headers, Receive, Scope, Send
from service.http.request_head import HeadError

_CLOSE: Headers = [(b"connection", b"close")]
_PROBES = ("/health/live", "/health/ready", "/metrics")

__all__ = ["LEAST_RETRY_AFTER_S", "is_probe", "refuse_connection", "refuse_head"]


def is_probe(method: str, path: str) -> bool:
    """Whether a request is for the service's health or its metrics, under any prefix.

    These are answered also beyond the limit of connections, because an orchestrator would restart a busy service.
    """
    return method in ("GET", "HEAD") and path.rstrip("/").endswith(_PROBES)


async def refuse_connection(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Answers a request on a connection beyond the limit: 503, and the connection is closed."""
    error = OverloadedError("the service has reached its limit of connections", LEAST_RETRY_AFTER_S)
    answer = problem(error)
    await answer._replace(headers=[*answer.headers, *_CLOSE]).send(send)


def refuse_head(error: HeadError) -> ASGIApp:
    """Makes an app that answers a request with an invalid head."""
    answer = reply(error.status, error.detail, headers=_CLOSE)

    async def refuse(_scope: Scope, _receive: Receive, send: Send) -> None:
        await answer.send(send)

    return refuse
