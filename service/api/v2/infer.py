"""``POST /v2/models/{name}/infer``: an ASGI endpoint that is called before the FastAPI app, as ``/predict`` is."""

import time

from service.api.answers import LOOP_NUMBERS, server_timing
from service.api.bodies import LOOP_BYTES
from service.api.compression import compress
from service.api.context import context_of
from service.api.endpoint import CLASSIFYING_ERRORS, ClassifyingEndpoint
from service.api.parameters import refuse_query
from service.api.requests import read_body, read_headers, read_timeout_s
from service.api.v2.errors import error_reply
from service.api.v2.framing import LENGTH_HEADER, parse, serialise
from service.classifier import Classifier, Images
from service.declarations import declare
from service.http.asgi import Reply, Scope
from service.http.connection import Connection
from service.models.catalog import ServedModel
from service.open_inference import InferRequest, make_outputs, prepare


@declare(key_scope="predict", errors=CLASSIFYING_ERRORS)
class InferEndpoint(ClassifyingEndpoint):
    """Answers one request of the protocol."""

    def _failure(self, error: Exception) -> Reply:
        return error_reply(error)

    async def _classify(self, scope: Scope, connection: Connection) -> Reply:
        started = time.perf_counter()
        context = context_of(scope)
        classifier = context.app.classifier
        headers = read_headers(scope)
        timeout_s = read_timeout_s(headers.get(b"x-request-timeout-ms"), self._limits.timeout_s)
        deadline = started + timeout_s
        refuse_query(scope["query_string"])
        body = await read_body(connection, headers, self._limits.max_body_bytes, timeout_s)
        target = _model(classifier, scope).target

        def read() -> tuple[InferRequest, Images]:
            request = parse(body, headers.get(LENGTH_HEADER), self._limits.max_images)
            return request, prepare(request, target, self._limits.max_images)

        is_long = len(body) > LOOP_BYTES
        request, images = await self._do(read, connection, deadline) if is_long else read()
        # Looked up only now, with no await before the request is admitted, so that a replaced model is never used.
        model = _model(classifier, scope)
        if model.target != target:
            images = prepare(request, model.target, self._limits.max_images)
        if request.timeout_s is not None:
            deadline = min(deadline, started + request.timeout_s)
        result = await classifier.classify(
            model,
            images,
            deadline=deadline,
            is_abandoned=connection.is_gone,
            is_alone=connection.is_alone(),
        )
        context.result = result

        def write() -> Reply:
            outputs = make_outputs(request, result)
            reply = serialise(result, request, outputs, [(b"server-timing", server_timing(result))])
            return compress(reply, headers.get(b"accept-encoding"))

        is_long = result.probabilities.size > LOOP_NUMBERS
        return await self._do(write, connection, deadline) if is_long else write()


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
