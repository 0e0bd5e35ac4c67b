"""Builds the running service from its parts; no other module knows all of them.

::

    settings ─> HTTP app ─> models loaded ─> gRPC and the watch, if set ─> requests ─> the models are released
"""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

from service import __version__
from service.api.context import AppState
from service.classifier import Classifier
from service.decoding import DecodeChildren, Decoder, DecodeThreads
from service.http.asgi import ASGIApp
from service.http.body_budget import BodyBudget
from service.http_app import HttpApp
from service.inference import choose_provider
from service.limits import RequestLimits
from service.models.catalog import ModelCatalog
from service.models.model_loader import ModelLoader
from service.models.publisher import BatchingPolicy
from service.models.repository_settings import make_repository
from service.models.watch import Watch
from service.open_inference.dataplane import DataPlane
from service.optional_parts import check_grpc, make_access, make_settling, make_tracing
from service.settings import Settings
from service.telemetry.metrics import Metrics, folding
from service.workers.cores import available_cores

if TYPE_CHECKING:
    from service.access import AccessControl
    from service.telemetry.tracing import Tracing

_GARBAGE_THRESHOLD = 10_000  # objects; Python's default, 700, costs 5 microseconds per request at 64 connections
_LOOP_BUDGET_S = 5e-3  # for a shorter run, waiting for the GIL in a thread costs more than a second core gains
_LOOP_DECODE_S = 3e-4  # pictures that take longer are decoded in a thread, on another core
_LOOP_DECODE_ALONE_S = 2e-3  # the same limit where a worker has only one core
_MOST_CHILDREN = 4  # processes of 40 MB each; they decode files whose headers do not limit the decoding time


class Service(NamedTuple):
    """The running service, as the server process needs it.

    Attributes:
        app: answers HTTP.
        refusals: answers the requests that a connection refuses before the app.
        drain: the server sets it when the process is told to stop.
        budget: counts the bytes that all requests hold.
    """

    app: ASGIApp
    refusals: ASGIApp
    drain: asyncio.Event
    budget: BodyBudget


@asynccontextmanager
async def run_service(settings: Settings, worker_slot: int = 0) -> AsyncIterator[Service]:
    """Runs the service, from loaded models to the last answer.

    Args:
        settings: how it runs.
        worker_slot: number of this worker among its siblings.

    Yields:
        The service, once its models are loaded.

    Raises:
        ConvoyError: it cannot start; the message says why.
    """
    limits = RequestLimits(settings.max_body_bytes, settings.max_images_per_request, settings.request_timeout_s)
    metrics = Metrics(version=__version__, workers=settings.workers)
    budget = BodyBudget(settings.max_body_bytes_in_flight)
    access, tracing = make_access(settings), make_tracing(settings)
    http = HttpApp(settings, limits, budget, metrics, access=access, tracing=tracing)
    cores = max(1, available_cores() // settings.workers)
    async with AsyncExitStack() as stack:
        if tracing is not None:
            stack.push_async_callback(asyncio.to_thread, tracing.close)
        threads = stack.enter_context(DecodeThreads(available_cores()))
        children = stack.enter_context(DecodeChildren(min(available_cores(), _MOST_CHILDREN)))
        catalog = ModelCatalog(settings.default_model, settings.model_alias)
        loader = _make_loader(settings, worker_slot, catalog, metrics, tracing)
        found = await loader.load_all()
        decoder = Decoder(
            max_pixels=settings.max_pixels,
            max_reducible_pixels=settings.max_reducible_pixels,
            loop_work_s=_LOOP_DECODE_ALONE_S if cores == 1 else _LOOP_DECODE_S,
            threads=threads,
            children=children,
            budget=budget,
        )
        gc.collect()
        gc.freeze()  # these objects live until the process ends, so the garbage collector can skip them
        gc.set_threshold(_GARBAGE_THRESHOLD)  # a request makes no reference cycle, so there is little to collect
        make_classifier = Classifier if tracing is None else tracing.classifier
        classifier = make_classifier(catalog, decoder, budget, loader.open_engine)
        drain = asyncio.Event()
        metrics.is_ready = lambda: not drain.is_set()
        plane = DataPlane(
            classifier, loader, metrics, drain, version=__version__, limits=limits, model_control=settings.model_control
        )
        state = AppState(classifier, plane, metrics, drain, http.document, budget, http.dialects)
        await stack.enter_async_context(folding(metrics, settings.workers))
        stack.push_async_callback(loader.close)
        if settings.grpc_port is not None:
            await stack.enter_async_context(_serve_grpc(settings, settings.grpc_port, limits, state, access))
        if settings.watch_interval_s:
            watch = asyncio.create_task(Watch(loader, found).run(settings.watch_interval_s))
            stack.callback(watch.cancel)
        yield Service(http.over(state), http.refusals(state), drain, budget)


def _make_loader(
    settings: Settings,
    worker_slot: int,
    catalog: ModelCatalog,
    metrics: Metrics,
    tracing: "Tracing | None",
) -> ModelLoader:
    provider = choose_provider(settings.execution_provider, worker_slot)
    metrics.fell_back(bool(provider.fallback_reason))
    policy = BatchingPolicy(
        max_queue_delay_s=settings.max_queue_delay_us / 1e6,
        queue_capacity=settings.queue_capacity,
        loop_budget_s=_LOOP_BUDGET_S,
    )
    observe = (lambda observer, _name, _version: observer) if tracing is None else tracing.observer
    repository = make_repository(settings, provider)
    opens_all = settings.load_at_start == "all"
    settle = make_settling(settings)
    return ModelLoader(repository, catalog, policy, metrics, observe, opens_all=opens_all, settle=settle)


def _serve_grpc(
    settings: Settings, port: int, limits: RequestLimits, state: AppState, access: "AccessControl | None"
) -> AbstractAsyncContextManager[None]:
    check_grpc(settings)
    from service.grpc.health import HealthServicer  # noqa: PLC0415  an optional extra, imported where it is used
    from service.grpc.server import GrpcLimits, serve  # noqa: PLC0415
    from service.grpc.servicer import InferenceServicer  # noqa: PLC0415

    return serve(
        InferenceServicer(state.plane, timeout_s=limits.timeout_s),
        HealthServicer(state.classifier.catalog),
        state.drain,
        host=settings.host,
        port=port,
        is_shared=settings.workers > 1 or settings.share_port,
        limits=GrpcLimits(
            request=limits,
            max_body_bytes_in_flight=settings.max_body_bytes_in_flight,
            max_calls=settings.max_grpc_calls,
            drain_delay_s=settings.drain_delay_s,
            drain_timeout_s=settings.drain_timeout_s,
        ),
        budget=state.budget,
        access=access,
        requests=state.metrics.requests,
    )
