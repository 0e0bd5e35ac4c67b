"""The request log: requests that ended with status 500 are always logged, all others where ``access_log`` is set.

Only names, numbers and times are logged: no pictures, no header except the request id, and no query, which may contain
a key.
"""

import logging
from typing import Any

from service.api.context import context_of
from service.http.asgi import Scope
from service.telemetry.metrics import failure_reason

logger = logging.getLogger(__name__)

_LONGEST_PATH = 200


class RequestLog:
    """Writes a line for a request.

    Args:
        every_request: whether to log all requests, instead of those with status 500 only.
    """

    def __init__(self, *, every_request: bool) -> None:
        self.every_request = every_request

    def write(self, scope: Scope, status: int, seconds: float) -> None:
        """Logs one answered request.

        Args:
            scope: of the request.
            status: of the answer; 499 where the client left before it.
            seconds: duration of the request.
        """
        context = context_of(scope)
        failure, result = context.failure, context.result
        event: dict[str, Any] = {
            "message": "request",
            "request_id": context.request_id.decode("ascii"),
            "method": scope["method"],
            "path": scope["path"][:_LONGEST_PATH],
            "status": status,
            "total_ms": _ms(seconds),
        }
        if context.key_id is not None:
            event["key_id"] = context.key_id
        if result is not None:
            event |= {
                "model": result.model.metadata.name,
                "version": result.model.metadata.version,
                "images": len(result.probabilities),
                "decode_ms": _ms(result.decode_s),
                "queue_ms": _ms(result.queue_s),
                "inference_ms": _ms(result.inference_s),
                "batch_size": result.batch_size,
            }
        if status >= 400:
            event["reason"] = failure_reason(failure, status)
        if status == 500 and failure is not None:
            event["exc_info"] = failure.traceback
            logger.error(event)
        elif self.every_request:
            logger.info(event)


def _ms(seconds: float) -> float:
    return round(seconds * 1e3, 3)
