"""``POST /predict``: an ASGI endpoint that is called before the FastAPI app.

FastAPI's routing and validation would take a third of the time of such a small request. The app gets all other
requests. The endpoint is in the app's schema like any other route (`service/api/predict_operations.py`).
"""

import time
from collections.abc import Awaitable
from functools import partial

from service.api.accept import choose_media_type
from service.api.answers import JSON, LOOP_NUMBERS, MEDIA_TYPES, answer
from service.api.bodies import LOOP_BYTES, Body, explain_mangling, parse_body, takes_long
from service.api.context import context_of
from service.api.decisions import check_decisions, is_much
from service.api.drawings import check_drawing
from service.api.endpoint import CLASSIFYING_ERRORS, ClassifyingEndpoint
from service.api.parameters import NO_PARAMETERS, Parameters, merge, read_query
from service.api.partial_answers import NO_FAULTS, classify_good
from service.api.problems import problem
from service.api.requests import read_body, read_headers, read_timeout_s
from service.classifier import Classification, Classifier
from service.declarations import declare
from service.decoding import Upload
from service.errors import InvalidImagesError, MalformedRequestError, NotAcceptableError
from service.http.asgi import Reply, Scope
from service.http.connection import Connection


@declare(key_scope="predict", errors=(*CLASSIFYING_ERRORS, NotAcceptableError))
class PredictEndpoint(ClassifyingEndpoint):
    """Classifies the pictures of one request."""

    def _failure(self, error: Exception) -> Reply:
        return problem(error)

    async def _classify(self, scope: Scope, connection: Connection) -> Reply:
        started = time.perf_counter()
        headers = read_headers(scope)
        timeout_s = read_timeout_s(headers.get(b"x-request-timeout-ms"), self._limits.timeout_s)
        deadline = started + timeout_s
        media_type = choose_media_type(headers.get(b"accept", b""), MEDIA_TYPES)
        content_type = headers.get(b"content-type", b"")
        query = read_query(scope["query_string"])
        data = await read_body(connection, headers, self._limits.max_body_bytes, timeout_s)
        if takes_long(data, content_type):
            read = partial(parse_body, data, content_type, self._limits.max_images, query)
            body = await self._do(read, connection, deadline)
        else:
            body = parse_body(data, content_type, self._limits.max_images, query)
        parameters = query
        if body.parameters is not NO_PARAMETERS or scope["path"] != "/predict":
            parameters = merge((("path", _in_path(scope["path"])), ("query", query), ("body", body.parameters)))
        decides = parameters is not NO_PARAMETERS and parameters.ask_decisions()
        if decides and media_type != JSON:
            raise MalformedRequestError(f"decisions need an answer in JSON; Accept asks for {media_type.decode()}")
        context = context_of(scope)
        classifier = context.app.classifier
        filenames, faults, good = body.filenames(), NO_FAULTS, body.uploads
        try:
            if parameters.on_error is None:
                result = await self._ask(classifier, connection, body, parameters, deadline)
            else:
                uploads = _reportable(body, media_type)

                def ask(some: list[Upload]) -> Awaitable[Classification]:
                    return self._ask(classifier, connection, Body(some), parameters, deadline)

                result, filenames, faults, good = await classify_good(ask, uploads, body.faults)
        except InvalidImagesError as error:
            raise explain_mangling(error, body.uploads, data) from None
        context.result = result
        asked = headers.get(b"accept-encoding")
        write = partial(answer, result, media_type, parameters, filenames, faults, uploads=good, accept_encoding=asked)
        if result.probabilities.size > LOOP_NUMBERS or (decides and (len(data) > LOOP_BYTES or is_much(result))):
            return await self._do(write, connection, deadline)
        return write()

    def _ask(
        self, classifier: Classifier, connection: Connection, body: Body, parameters: Parameters, deadline: float
    ) -> Awaitable[Classification]:
        # Looked up only now, with no await before the request is admitted, so that a replaced model is never used.
        model = classifier.catalog.find(parameters.model, parameters.version)
        if parameters is not NO_PARAMETERS and parameters.ask_decisions():
            check_decisions(model.metadata, parameters)
        is_drawn = parameters.prepare == "digit"
        if is_drawn:
            check_drawing(model, are_files=isinstance(body.uploads, list))
        return classifier.classify(
            model,
            body.images(model.target, self._limits.max_images),
            deadline=deadline,
            is_abandoned=connection.is_gone,
            is_alone=connection.is_alone(),
            centers_strokes=is_drawn,
        )


def _reportable(body: Body, media_type: bytes) -> list[Upload]:
    """The pictures of a request with ``on_error=report``; an array is refused, since it has no place for a report."""
    if isinstance(body.uploads, bytes):
        raise MalformedRequestError("on_error=report needs pictures; the body is an array of pixels, used as a whole")
    if media_type != JSON:
        raise MalformedRequestError(f"on_error=report needs an answer in JSON; Accept asks for {media_type.decode()}")
    return body.uploads


def is_prediction(scope: Scope) -> bool:
    """Whether a request is for :class:`PredictEndpoint`."""
    path: str = scope["path"]
    if scope["method"] != "POST":
        return False
    if path == "/predict":
        return True
    if not path.endswith("/predict"):
        return False
    steps = path.split("/")
    return steps[1] == "models" and (len(steps) == 4 or (len(steps) == 6 and steps[3] == "versions"))


def _in_path(path: str) -> Parameters:
    """Reads model and version from the path: /predict, /models/M/predict or /models/M/versions/V/predict."""
    steps = path.split("/")
    if len(steps) == 2:
        return NO_PARAMETERS
    return Parameters(steps[2], steps[4] if len(steps) > 4 else None)
