"""Puts the parts together: the one place that knows them all.

::

    ProxyMiddleware ─ CORS, if set ─ RequestMiddleware ─ AuthMiddleware, if keys are set ─┐
      ┌───────────────────────────────────────────────────────────────────────────────────┘
      ├─ POST .../predict ──> PredictEndpoint
      ├─ POST /v2/.../infer > InferEndpoint
      └─ everything else ───> HeadMiddleware ─ FastAPI
"""

import asyncio
import gc
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware

from service import __version__
from service.api.auth_middleware import AuthMiddleware, KeyRules
from service.api.compression import LEVEL, MIN_BYTES
from service.api.context import AppState
from service.api.handlers import answer_errors
from service.api.head_middleware import HeadMiddleware
from service.api.openapi import ApiDocument
from service.api.page_security import PageSecurity
from service.api.predict import PredictEndpoint, is_prediction
from service.api.proxy_middleware import ProxyMiddleware
from service.api.request_log import RequestLog
from service.api.request_middleware import RequestMiddleware
from service.api.route_table import all_routes, first_steps
from service.api.v2.infer import InferEndpoint, is_inference
from service.api.v2.schemas import ModelControlRequest, RepositoryIndexRequest
from service.api.work_thread import WorkThread
from service.classifier import Classifier
from service.decoding import Decoder, DecodeThreads
from service.errors import ConvoyError, SettingError
from service.http.asgi import ASGIApp, Message, Receive, Scope, Send
from service.http.body_budget import BodyBudget
from service.inference import Survey, choose_provider
from service.models.catalog import ModelCatalog
from service.models.model_loader import ModelLoader
from service.models.publisher import BatchingPolicy
from service.models.repository_settings import make_repository
from service.models.watch import Watch
from service.open_inference.dataplane import DataPlane
from service.settings import Settings
from service.telemetry.metrics import Metrics, folding
from service.workers.cores import available_cores

if TYPE_CHECKING:
    from service.access import AccessControl
    from service.telemetry.tracing import Tracing

logger = logging.getLogger(__name__)

_LOOP_BUDGET_S = 5e-3  # below it a thread's way to the GIL and back costs more than the core that it adds is worth
_LOOP_DECODE_S = 3e-4  # longer ones are decoded in a thread, on another core
_LOOP_DECODE_ALONE_S = 2e-3  # where there is no other core


def create_app(settings: Settings, worker_slot: int = 0) -> ASGIApp:
    """Builds the service.

    Args:
        settings: how it runs.
        worker_slot: number of this worker among its siblings.

    Returns:
        The ASGI app. Models are loaded when its lifespan starts.
    """
    metrics = Metrics(version=__version__, workers=settings.workers)
    budget = BodyBudget(settings.max_body_bytes_in_flight)
    tracing = _tracing(settings)
    access = _access(settings)
    work_thread = WorkThread()
    predict = PredictEndpoint(
        max_body_bytes=settings.max_body_bytes,
        budget=budget,
        max_images=settings.max_images_per_request,
        timeout_s=settings.request_timeout_s,
        work_thread=work_thread,
    )
    inference = InferEndpoint(
        max_body_bytes=settings.max_body_bytes,
        budget=budget,
        max_images=settings.max_images_per_request,
        timeout_s=settings.request_timeout_s,
        work_thread=work_thread,
    )

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        with DecodeThreads(available_cores()) as threads:
            document_made = threads.submit(document.make)  # most of a load runs outside Python, so the two overlap
            classifier, control, found = await _start(
                settings, worker_slot, metrics, tracing=tracing, threads=threads, budget=budget
            )
            document_made.result()
            drain = asyncio.Event()
            metrics.is_ready = lambda: not drain.is_set()
            plane = DataPlane(
                classifier,
                control,
                metrics,
                drain,
                version=__version__,
                max_images=settings.max_images_per_request,
                model_control=settings.model_control,
            )
            state = AppState(classifier, plane, metrics, drain, document, budget)
            async with folding(metrics, settings.workers):
                async with _beside(settings, control, found, state, access=access):
                    yield {"app": state}
                await control.close()
        if tracing is not None:
            await asyncio.to_thread(tracing.close)

    app = FastAPI(
        title="Convoy",
        version=__version__,
        summary="Image classifiers, dynamically batched.",
        lifespan=lifespan,
        redirect_slashes=False,
        openapi_url=None,  # the document and its page are routes of `service/api/pages.py`
    )
    app.router.routes += all_routes(predict, inference)
    document = ApiDocument(app, (ModelControlRequest, RepositoryIndexRequest), has_keys=access is not None)
    answer_errors(app)
    app.add_middleware(PageSecurity)
    app.add_middleware(GZipMiddleware, minimum_size=MIN_BYTES, compresslevel=LEVEL)
    front = _front(predict, inference, HeadMiddleware(app))
    if tracing is not None:
        front = tracing.app(front)
    if access is not None:
        front = AuthMiddleware(front, access, KeyRules(app.routes))
    whole: ASGIApp = RequestMiddleware(front, metrics, RequestLog(every_request=settings.access_log))
    if settings.cors_origins:
        whole = CORSMiddleware(
            whole,
            allow_origins=settings.cors_origins,
            allow_methods=("GET", "POST"),
            allow_headers=("*",),
            expose_headers=("X-Request-ID", "Server-Timing", "Retry-After", "Inference-Header-Content-Length"),
        )
    return ProxyMiddleware(whole, settings.root_path, settings.forwarded_allow_ips, first_steps(app.routes))


def _front(predict: ASGIApp, inference: ASGIApp, app: ASGIApp) -> ASGIApp:
    """Calls the two endpoints that classify without the app's routing, and the app for the rest."""

    async def front(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await app(scope, receive, _in_plain_words(send))
        elif is_prediction(scope):
            await predict(scope, receive, send)
        elif is_inference(scope):
            await inference(scope, receive, send)
        else:
            await app(scope, receive, send)

    return front


def _in_plain_words(send: Send) -> Send:
    """Tells of a start that failed for a known reason in one line, where Starlette would send the traceback."""

    async def send_reason(message: Message) -> None:
        if message["type"] == "lifespan.startup.failed":
            kind, _, reason = message["message"].strip().splitlines()[-1].partition(": ")
            if kind.startswith(ConvoyError.__module__):
                message = {**message, "message": f"cannot start: {reason}"}
        await send(message)

    return send_reason


def _tracing(settings: Settings) -> "Tracing | None":
    if not settings.tracing:
        return None
    try:
        from service.telemetry.tracing import Tracing  # noqa: PLC0415  an extra, and a second to import
    except ModuleNotFoundError as error:
        raise SettingError(f"tracing needs the extra `tracing`, of which {error.name} is not installed") from error
    return Tracing()


def _access(settings: Settings) -> "AccessControl | None":
    if settings.keys_file is None:
        return None
    from service.access import AccessControl, KeyFile  # noqa: PLC0415  only those pay who set keys

    return AccessControl(KeyFile(settings.keys_file))


@asynccontextmanager
async def _beside(
    settings: Settings,
    control: ModelLoader,
    found: Survey,
    state: AppState,
    *,
    access: "AccessControl | None",
) -> AsyncIterator[None]:
    """Runs what was asked for beside HTTP: gRPC, and the watch on the model repository."""
    async with AsyncExitStack() as stack:
        if settings.grpc_port is not None:
            try:
                from service.grpc.health import HealthServicer  # noqa: PLC0415  an extra, which only its users pay for
                from service.grpc.server import GrpcLimits, serve  # noqa: PLC0415
                from service.grpc.servicer import InferenceServicer  # noqa: PLC0415
            except ModuleNotFoundError as error:
                raise SettingError(
                    f"grpc_port needs the extra `grpc`, of which {error.name} is not installed"
                ) from error

            servicer = InferenceServicer(state.plane, timeout_s=settings.request_timeout_s)
            grpc_server = serve(
                servicer,
                HealthServicer(state.classifier.catalog),
                state.drain,
                host=settings.host,
                port=settings.grpc_port,
                is_shared=settings.workers > 1 or settings.share_port,
                limits=GrpcLimits(
                    max_body_bytes=settings.max_body_bytes,
                    max_body_bytes_in_flight=settings.max_body_bytes_in_flight,
                    max_images=settings.max_images_per_request,
                    max_calls=settings.max_grpc_calls,
                    timeout_s=settings.request_timeout_s,
                    drain_delay_s=settings.drain_delay_s,
                    drain_timeout_s=settings.drain_timeout_s,
                ),
                budget=state.budget,
                access=access,
            )
            await stack.enter_async_context(grpc_server)
        if settings.watch_interval_s:
            watch = asyncio.create_task(Watch(control, found).run(settings.watch_interval_s))
            stack.callback(watch.cancel)
        yield


async def _start(
    settings: Settings,
    worker_slot: int,
    metrics: Metrics,
    *,
    tracing: "Tracing | None",
    threads: DecodeThreads,
    budget: BodyBudget,
) -> tuple[Classifier, ModelLoader, Survey]:
    cores = max(1, available_cores() // settings.workers)
    provider = choose_provider(settings.execution_provider, worker_slot)
    metrics.fell_back(bool(provider.fallback_reason))
    repository = make_repository(settings, provider)
    policy = BatchingPolicy(
        max_queue_delay_s=settings.max_queue_delay_us / 1e6,
        queue_capacity=settings.queue_capacity,
        loop_budget_s=_LOOP_BUDGET_S,
    )
    catalog = ModelCatalog(settings.default_model)
    observe = (lambda observer, _name, _version: observer) if tracing is None else tracing.observer
    control = ModelLoader(repository, catalog, policy, metrics, observe)
    found = await control.load_all()
    decoder = Decoder(
        max_pixels=settings.max_pixels,
        max_reducible_pixels=settings.max_reducible_pixels,
        loop_work_s=_LOOP_DECODE_ALONE_S if cores == 1 else _LOOP_DECODE_S,
        threads=threads,
        budget=budget,
    )
    gc.collect()
    gc.freeze()  # what lives from here to the end need not be looked at by every collection of garbage
    make = Classifier if tracing is None else tracing.classifier
    return make(catalog, decoder, budget), control, found
