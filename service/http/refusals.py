"""Answers that a connection gives by itself, without the app."""

from service.api.problems import LEAST_RETRY_AFTER_S, problem, reply
from service.errors import OverloadedError
from service.http.asgi import ASGIApp, Headers, Receive, Scope, Send
from service.http.request_head import HeadError

_CLOSE: Headers = [(b"connection", b"close")]
_PROBES = ("/health/live", "/health/ready", "/metrics")

__all__ = ["LEAST_RETRY_AFTER_S", "is_probe", "refuse_connection", "refuse_head"]


def is_probe(method: str, path: str) -> bool:
    """Whether a request asks about the service's health, or for its metrics, under whatever prefix.

    These are answered past the most connections: an orchestrator would otherwise restart a service that is only busy.
    """
    return method in ("GET", "HEAD") and path.rstrip("/").endswith(_PROBES)


async def refuse_connection(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Answers a request of a connection that is one too many."""
    error = OverloadedError("the service has as many connections as it may have", LEAST_RETRY_AFTER_S)
    answer = problem(error)
    await answer._replace(headers=[*answer.headers, *_CLOSE]).send(send)


def refuse_head(error: HeadError) -> ASGIApp:
    """Makes an app that answers a request whose head cannot be understood."""
    answer = reply(error.status, error.detail, headers=_CLOSE)

    async def refuse(_scope: Scope, _receive: Receive, send: Send) -> None:
        await answer.send(send)

    return refuse
