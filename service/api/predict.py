"""``POST /predict``: one ASGI endpoint that stands before the FastAPI app.

Routing and the typed machinery cost a third of such a small request, so the endpoint is called first and the app gets
what it leaves. It is documented in the app's schema like any other route (`service/api/predict_operations.py`).
"""

import time

from service.api.answers import JSON, answer, choose_media_type
from service.api.bodies import parse_body
from service.api.compression import compress
from service.api.endpoint import CLASSIFYING_ERRORS, ClassifyingEndpoint
from service.api.problems import problem
from service.api.requests import read_body, read_parameters, read_timeout_s
from service.classifier import Classifier
from service.declarations import declare
from service.errors import MalformedRequestError
from service.http.asgi import Reply, Scope
from service.http.connection import Connection
from service.models.catalog import ServedModel


@declare(key_scope="predict", errors=CLASSIFYING_ERRORS)
class PredictEndpoint(ClassifyingEndpoint):
    """Classifies the pictures of one request."""

    def _failure(self, error: Exception) -> Reply:
        return problem(error)

    async def _classify(self, scope: Scope, connection: Connection) -> Reply:
        started = time.perf_counter()
        classifier: Classifier = scope["state"]["classifier"]
        headers = dict(scope["headers"])
        timeout_s = read_timeout_s(headers.get(b"x-request-timeout-ms"), self._timeout_s)
        media_type = choose_media_type(headers.get(b"accept", b""))
        body = await read_body(connection, headers, self._max_body_bytes, timeout_s)
        # Found only now, and admitted without a pause: a model that is replaced meanwhile is never asked.
        model, top_k = self._model(classifier, scope)
        images = parse_body(body, headers.get(b"content-type", b""), model.target, self._max_images)
        result = await classifier.classify(
            model,
            images,
            deadline=started + timeout_s,
            is_abandoned=connection.is_gone,
            is_alone=connection.is_alone(),
        )
        scope["state"]["result"] = result
        reply = answer(result, media_type, top_k)
        return compress(reply, headers.get(b"accept-encoding")) if media_type == JSON else reply

    @staticmethod
    def _model(classifier: Classifier, scope: Scope) -> tuple[ServedModel, int | None]:
        """The model that path and query name: /predict, /models/M/predict or /models/M/versions/V/predict."""
        name, version, top_k = read_parameters(scope["query_string"])
        if scope["path"] == "/predict":
            return classifier.catalog.find(name, version), top_k
        steps = scope["path"].split("/")
        if name is not None or (version is not None and len(steps) > 4):
            raise MalformedRequestError("the model is named in the path and in the query; name it once")
        return classifier.catalog.find(steps[2], steps[4] if len(steps) > 4 else version), top_k


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
