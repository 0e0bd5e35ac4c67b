"""``POST /v2/models/{name}/infer``: one ASGI endpoint that stands before the FastAPI app, as ``/predict`` does."""

import time

from service.api.answers import server_timing
from service.api.compression import compress
from service.api.endpoint import CLASSIFYING_ERRORS, ClassifyingEndpoint
from service.api.requests import read_body, read_timeout_s
from service.api.v2.errors import error_reply
from service.api.v2.framing import LENGTH_HEADER, parse, serialise
from service.classifier import Classifier
from service.declarations import declare
from service.http.asgi import Reply, Scope
from service.http.connection import Connection
from service.models.catalog import ServedModel
from service.open_inference import infer


@declare(key_scope="predict", errors=CLASSIFYING_ERRORS)
class InferEndpoint(ClassifyingEndpoint):
    """Answers one request of the protocol."""

    def _failure(self, error: Exception) -> Reply:
        return error_reply(error)

    async def _classify(self, scope: Scope, connection: Connection) -> Reply:
        started = time.perf_counter()
        classifier: Classifier = scope["state"]["classifier"]
        headers = dict(scope["headers"])
        timeout_s = read_timeout_s(headers.get(b"x-request-timeout-ms"), self._timeout_s)
        body = await read_body(connection, headers, self._max_body_bytes, timeout_s)
        model = _model(classifier, scope)
        request = parse(body, headers.get(LENGTH_HEADER))
        if request.timeout_s is not None:
            timeout_s = min(timeout_s, request.timeout_s)
        result, outputs = await infer(
            classifier,
            model,
            request,
            max_images=self._max_images,
            deadline=started + timeout_s,
            is_abandoned=connection.is_gone,
            is_alone=connection.is_alone(),
        )
        scope["state"]["result"] = result
        reply = serialise(result, request, outputs, [(b"server-timing", server_timing(result))])
        return compress(reply, headers.get(b"accept-encoding"))


def is_inference(scope: Scope) -> bool:
    """Whether a request is for :class:`InferEndpoint`."""
    path: str = scope["path"]
    if scope["method"] != "POST" or not path.startswith("/v2/models/") or not path.endswith("/infer"):
        return False
    steps = path.split("/")
    return len(steps) == 5 or (len(steps) == 7 and steps[4] == "versions")


def _model(classifier: Classifier, scope: Scope) -> ServedModel:
    steps = scope["path"].split("/")
    return classifier.catalog.find(steps[3], steps[5] if len(steps) > 5 else None)
