"""Request ids, metrics and the request log, in one ASGI layer around all answers."""

import itertools
import re
import secrets
import time
from collections.abc import Awaitable
from typing import TYPE_CHECKING

from service.api.context import context_of
from service.api.request_log import RequestLog
from service.http.asgi import ASGIApp, Message, Receive, Scope, Send
from service.telemetry.failure import CLIENT_GONE_STATUS
from service.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from service.api.dialects.chosen import Dialects

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:/+=-]{1,128}")


class RequestMiddleware:
    """Gives each request an id, and counts and times its answer.

    A client's own ``X-Request-ID`` is kept if its characters are safe in a header and in a log line.

    Args:
        app: answers the requests.
        metrics: counts the answers.
        log: logs them.
        dialects: those that are on; their answers are counted by dialect too. None where all are off.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, log: RequestLog, dialects: "Dialects | None") -> None:
        self._app = app
        self._requests = metrics.requests
        self._log = log
        self._dialects = dialects
        self._prefix = secrets.token_hex(6).encode()
        self._serial = itertools.count()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        started = time.perf_counter()
        context = context_of(scope)
        request_id = context.request_id = self._request_id(scope)
        self._requests.in_flight += 1
        status = CLIENT_GONE_STATUS

        def send_with_id(message: Message) -> Awaitable[None]:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", request_id)]
            return send(message)

        try:
            await self._app(scope, receive, send_with_id)
        finally:
            seconds = time.perf_counter() - started
            self._requests.answered(scope["method"], status, seconds)
            if self._dialects is not None and (dialect := self._dialects.find(scope["method"], scope["path"])):
                self._requests.answered_in(dialect.name, status)
            if status >= 400:
                self._requests.failed(context.failure, status)
            if status == 500 or self._log.every_request:
                self._log.write(scope, status, seconds)

    def _request_id(self, scope: Scope) -> bytes:
        for name, value in scope["headers"]:
            if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
                return bytes(value)
        return b"%s-%x" % (self._prefix, next(self._serial))
