"""The FastAPI routes for health, models and metrics."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from service.api.context import context_of
from service.api.schemas import InputDescription, Live, ModelDescription, ModelList, ModelVersion, Ready
from service.declarations import declare
from service.errors import ModelNotFoundError, OverloadedError
from service.models.catalog import ModelCatalog, ServedModel
from service.pool_threads import run_in_pool

router = APIRouter()


def _catalog(request: Request) -> ModelCatalog:
    return context_of(request.scope).app.classifier.catalog


Catalog = Annotated[ModelCatalog, Depends(_catalog)]


@router.get("/health/live", operation_id="live", summary="Is the process alive?", tags=["health"])
@declare(key_scope=None)
async def live() -> Live:
    """True whenever the event loop runs."""
    return Live(live=True)


@router.get(
    "/health/ready",
    operation_id="ready",
    summary="Should requests be sent here?",
    tags=["health"],
    responses={503: {"model": Ready, "description": "Not ready, or shutting down."}},
)
@declare(key_scope=None)
async def ready(request: Request, response: Response, catalog: Catalog) -> Ready:
    """True while the models answer; false, with status 503, once the process is told to stop."""
    app = context_of(request.scope).app
    is_ready = not app.drain.is_set()
    response.status_code = 200 if is_ready else 503
    ready_models = filter(app.plane.is_model_ready, catalog)
    models = {f"{model.metadata.name}/{model.metadata.version}": model.provider for model in ready_models}
    return Ready(ready=is_ready, models=models)


@router.get("/models", operation_id="list_models", summary="What is served?", tags=["models"])
@declare(key_scope="predict")
async def list_models(catalog: Catalog) -> ModelList:
    """Every model with its served versions."""
    names = sorted({model.metadata.name for model in catalog})
    return ModelList(default_model=catalog.default_model, models=[_describe(catalog, name) for name in names])


@router.get(
    "/models/{name}",
    operation_id="get_model",
    summary="What is this model?",
    tags=["models"],
)
@declare(key_scope="predict", errors=(ModelNotFoundError,))
async def get_model(name: Annotated[str, Path(examples=["cifar10"])], catalog: Catalog) -> ModelDescription:
    """Labels, input, measured accuracy and provider of each served version."""
    return _describe(catalog, name)


@router.get(
    "/metrics",
    operation_id="metrics",
    summary="How is the service doing?",
    tags=["health"],
    response_class=PlainTextResponse,
)
@declare(key_scope="metrics", errors=(OverloadedError,))
async def metrics(request: Request) -> Response:
    """The metrics in Prometheus' text format."""
    collected = context_of(request.scope).app.metrics
    collected.fold()
    # In a thread, because it takes milliseconds, during which the event loop would be blocked.
    return Response(await run_in_pool(collected.page), media_type=CONTENT_TYPE_PLAIN_0_0_4)


def _describe(catalog: ModelCatalog, name: str) -> ModelDescription:
    versions = [_version(model) for model in catalog.versions(name)]
    return ModelDescription(
        name=name,
        default_version=catalog.default_version(name),
        version_labels=dict(catalog.version_labels(name)),
        versions=versions,
    )


def _version(model: ServedModel) -> ModelVersion:
    metadata, score = model.metadata, model.metadata.evaluation
    return ModelVersion(
        version=metadata.version,
        labels=list(metadata.class_names),
        class_ids=None if metadata.class_ids is None else list(metadata.class_ids),
        multi_label=metadata.multi_label,
        input=InputDescription(
            height=metadata.height,
            width=metadata.width,
            channels=metadata.channels,
            color_mode=metadata.color_mode,
            fit=metadata.fit,
            polarity=metadata.polarity,
            interpolation=metadata.interpolation,
            antialias=metadata.antialias,
            crop_fraction=metadata.crop_fraction,
            crop_rounding=metadata.crop_rounding,
            jpeg_decode=metadata.jpeg_decode,
            exif=metadata.exif,
            icc=metadata.icc,
        ),
        preprocessing_proof=metadata.preprocessing_proof,
        provider=model.provider,
        loaded=model.engine is not None,
        accuracy=None if score is None else score.accuracy,
        accuracy_interval=None if score is None else score.accuracy_interval,
        expected_calibration_error=None if score is None else score.expected_calibration_error,
        test_images=None if score is None else score.images,
        coverages=[] if metadata.conformal is None else [level.coverage for level in metadata.conformal.levels],
        familiarity=None if metadata.familiarity is None else metadata.familiarity.score,
        data=metadata.data.name,
        licence=metadata.data.licence,
        citation=metadata.data.citation,
        created=metadata.created,
        commit=metadata.commit,
        samples=len(metadata.golden),
    )
