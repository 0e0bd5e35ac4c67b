"""Builds the HTTP app: middleware around two endpoints and a FastAPI app.

::

    ProxyMiddleware ─ CORS, if set ─ RequestMiddleware ─ AuthMiddleware, if keys are set ─┐
      ┌───────────────────────────────────────────────────────────────────────────────────┘
      ├─ POST .../predict ──> PredictEndpoint
      ├─ POST /v2/.../infer > InferEndpoint
      └─ everything else ───> HeadMiddleware ─ PageSecurity ─ gzip ─ FastAPI
"""

from collections.abc import Awaitable
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from service import __version__
from service.api.auth_middleware import AuthMiddleware, KeyRules
from service.api.compression import CompressionMiddleware
from service.api.context import AppState
from service.api.dialects.choice import choose_dialects
from service.api.handlers import answer_errors
from service.api.head_middleware import HeadMiddleware
from service.api.openapi import ApiDocument
from service.api.page_security import PageSecurity
from service.api.picture_operations import picture_routes
from service.api.predict import PredictEndpoint, is_prediction
from service.api.proxy_middleware import ProxyMiddleware, check_distinct
from service.api.request_log import RequestLog
from service.api.request_middleware import RequestMiddleware
from service.api.route_table import all_routes, first_steps
from service.api.v2.infer import InferEndpoint, is_inference
from service.api.v2.schemas import ModelControlRequest, RepositoryIndexRequest
from service.api.work_thread import WorkThread
from service.http.asgi import ASGIApp, Receive, Scope, Send
from service.http.body_budget import BodyBudget
from service.http.refusals import counted_refusals
from service.limits import RequestLimits
from service.settings import Settings
from service.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from service.access import AccessControl
    from service.telemetry.tracing import Tracing


class HttpApp:
    """The middleware and routes; they are made before the models are loaded.

    Args:
        settings: of the service.
        limits: of a request.
        budget: limits the bytes that all requests hold.
        metrics: counts the answers.
        access: checks API keys; None where no keys are set.
        tracing: receives spans; None where tracing is off.

    Attributes:
        document: the OpenAPI document; its first request makes it.
        dialects: those that are on; None where all are off.

    Raises:
        SettingError: ``root_path`` is one of the service's own paths.
    """

    def __init__(
        self,
        settings: Settings,
        limits: RequestLimits,
        budget: BodyBudget,
        metrics: Metrics,
        *,
        access: "AccessControl | None",
        tracing: "Tracing | None",
    ) -> None:
        work_thread = WorkThread("bodies", "to be read or written")
        predict = PredictEndpoint(limits, budget, work_thread)
        inference = InferEndpoint(limits, budget, work_thread)
        app = FastAPI(
            title="Convoy",
            version=__version__,
            summary="Image classifiers, dynamically batched.",
            redirect_slashes=False,
            openapi_url=None,  # the document and its page are routes of `service/api/pages.py`
        )
        self.dialects = choose_dialects(settings)
        routes = () if self.dialects is None else self.dialects.routes(limits, budget, work_thread)
        pictures = picture_routes(limits, budget, work_thread)
        app.router.routes += all_routes(predict, inference, routes, pictures, has_page=settings.page)
        bodies = (ModelControlRequest, RepositoryIndexRequest)
        self.document = ApiDocument(app, bodies, has_keys=access is not None, dialects=self.dialects)
        self._settings = settings
        self._own_steps = first_steps(app.routes)
        check_distinct(settings.root_path, self._own_steps)
        answer_errors(app)
        app.add_middleware(PageSecurity)
        app.add_middleware(CompressionMiddleware)
        front = _front(predict, inference, HeadMiddleware(app), self._taken_paths())
        if tracing is not None:
            front = tracing.app(front, self._own_steps)
        if access is not None:
            front = AuthMiddleware(front, access, KeyRules(app.routes))
        self._log = RequestLog(every_request=settings.access_log)
        self._layers: ASGIApp = RequestMiddleware(front, metrics, self._log, self.dialects)
        if settings.cors_origins:
            self._layers = CORSMiddleware(
                self._layers,
                allow_origins=settings.cors_origins,
                allow_methods=sorted(self._methods()),
                allow_headers=("*",),
                expose_headers=("X-Request-ID", "Server-Timing", "Retry-After", "Inference-Header-Content-Length"),
            )

    def _methods(self) -> set[str]:
        """The methods that pages of other origins may use: TorchServe's clients use PUT."""
        operations = (operation for dialect in self.dialects or () for operation, _ in dialect.operations)
        return {"GET", "POST"}.union(*(operation.methods for operation in operations))

    def _taken_paths(self) -> frozenset[str]:
        """The paths of the two endpoints that a dialect answers instead, as Vertex AI can be set up to do."""
        paths = (operation.path for dialect in self.dialects or () for operation, _ in dialect.operations)
        requests = ({"method": "POST", "path": path} for path in paths)
        return frozenset(asked["path"] for asked in requests if is_prediction(asked) or is_inference(asked))

    def over(self, state: AppState) -> ASGIApp:
        """Returns the whole app, with the parts that answer its requests."""
        settings = self._settings
        return ProxyMiddleware(
            self._layers,
            state,
            root_path=settings.root_path,
            trusted_addresses=settings.forwarded_allow_ips,
            own_steps=self._own_steps,
        )

    def refusals(self, state: AppState) -> ASGIApp:
        """Returns an app that answers what a connection refuses, and counts and logs it as any other request."""
        return counted_refusals(state, self._log)


def _front(predict: ASGIApp, inference: ASGIApp, app: ASGIApp, taken: frozenset[str]) -> ASGIApp:
    """Calls the two classifying endpoints without the app's routing; the app answers ``taken`` and all other paths."""

    def front(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if is_prediction(scope):
            return predict(scope, receive, send)
        return (inference if is_inference(scope) else app)(scope, receive, send)

    if not taken:
        return front
    return lambda scope, receive, send: (app if scope["path"] in taken else front)(scope, receive, send)
