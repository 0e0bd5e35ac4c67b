"""The protocol's questions about the server and its models."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response

from service.api.v2.schemas import (
    ModelConfiguration,
    ModelMetadataDocument,
    ModelReady,
    ServerLive,
    ServerMetadata,
    ServerReady,
    Statistics,
)
from service.classifier import Classifier
from service.declarations import declare
from service.errors import ModelNotFoundError
from service.models.catalog import ServedModel
from service.open_inference.description import configure_model, count_requests, describe_model, describe_server

router = APIRouter(prefix="/v2", tags=["open inference protocol"])


def find_model(
    request: Request,
    name: Annotated[str, Path(description="Name of the model.", examples=["cifar10"])],
) -> ServedModel:
    """The newest version of the model that a path names."""
    classifier: Classifier = request.state.classifier
    return classifier.catalog.find(name)


def find_version(
    request: Request,
    name: Annotated[str, Path(description="Name of the model.", examples=["cifar10"])],
    version: Annotated[str, Path(description="Version of the model.", examples=["1"])],
) -> ServedModel:
    """The version that a path names."""
    classifier: Classifier = request.state.classifier
    return classifier.catalog.find(name, version)


Newest = Annotated[ServedModel, Depends(find_model)]
Version = Annotated[ServedModel, Depends(find_version)]


@router.get("", operation_id="v2_server_metadata", summary="What is this server?")
@declare(key_scope="predict")
async def server_metadata(request: Request) -> ServerMetadata:
    """Name, version and the extensions of the protocol that are spoken."""
    return ServerMetadata.model_validate(describe_server(request.app.version))


@router.get("/health/live", operation_id="v2_server_live", summary="Is the process alive?")
@declare(key_scope=None)
async def server_live() -> ServerLive:
    """Answers whenever the process can answer at all."""
    return ServerLive(live=True)


@router.get(
    "/health/ready",
    operation_id="v2_server_ready",
    summary="Should requests be sent here?",
    responses={503: {"model": ServerReady, "description": "Shutting down."}},
)
@declare(key_scope=None)
async def server_ready(request: Request, response: Response) -> ServerReady:
    """False, with 503, from the moment that the process is told to stop."""
    ready = not request.state.drain.is_set()
    response.status_code = 200 if ready else 503
    return ServerReady(ready=ready)


@router.get("/models/stats", operation_id="v2_statistics", summary="What have the models done?")
@declare(key_scope="predict")
async def statistics(request: Request) -> Statistics:
    """Counts and times of every model since the process started."""
    classifier: Classifier = request.state.classifier
    return Statistics.model_validate(count_requests(classifier.catalog, request.state.metrics))


@router.get("/models/{name}", operation_id="v2_model_metadata", summary="What does a model take and give?")
@declare(key_scope="predict", errors=(ModelNotFoundError,))
async def model_metadata(request: Request, model: Newest) -> ModelMetadataDocument:
    """Inputs and outputs of the newest version, and which versions answer."""
    return _metadata(request, model)


@router.get(
    "/models/{name}/versions/{version}",
    operation_id="v2_version_metadata",
    summary="What does a version of a model take and give?",
)
@declare(key_scope="predict", errors=(ModelNotFoundError,))
async def version_metadata(request: Request, model: Version) -> ModelMetadataDocument:
    """Inputs and outputs of a version, and which versions answer."""
    return _metadata(request, model)


@router.get("/models/{name}/ready", operation_id="v2_model_ready", summary="Does a model answer?")
@declare(key_scope="predict", errors=(ModelNotFoundError,))
async def model_ready(model: Newest) -> ModelReady:
    """True; a model that does not answer is not found."""
    return ModelReady(name=model.metadata.name, ready=True)


@router.get(
    "/models/{name}/versions/{version}/ready",
    operation_id="v2_version_ready",
    summary="Does a version of a model answer?",
)
@declare(key_scope="predict", errors=(ModelNotFoundError,))
async def version_ready(model: Version) -> ModelReady:
    """True; a version that does not answer is not found."""
    return ModelReady(name=model.metadata.name, ready=True)


@router.get(
    "/models/{name}/config",
    operation_id="v2_model_configuration",
    summary="How is a model served?",
    response_model_exclude_none=True,
)
@declare(key_scope="predict", errors=(ModelNotFoundError,))
async def model_configuration(request: Request, model: Newest) -> ModelConfiguration:
    """The configuration, in the terms of the model configuration extension."""
    return ModelConfiguration.model_validate(configure_model(model, request.state.max_images))


@router.get(
    "/models/{name}/versions/{version}/config",
    operation_id="v2_version_configuration",
    summary="How is a version of a model served?",
    response_model_exclude_none=True,
)
@declare(key_scope="predict", errors=(ModelNotFoundError,))
async def version_configuration(request: Request, model: Version) -> ModelConfiguration:
    """The configuration, in the terms of the model configuration extension."""
    return ModelConfiguration.model_validate(configure_model(model, request.state.max_images))


@router.get(
    "/models/{name}/stats",
    operation_id="v2_model_statistics",
    summary="What has a model done?",
)
@declare(key_scope="predict", errors=(ModelNotFoundError,))
async def model_statistics(request: Request, model: Newest) -> Statistics:
    """Counts and times of each version since the process started."""
    classifier: Classifier = request.state.classifier
    versions = classifier.catalog.versions(model.metadata.name)
    return Statistics.model_validate(count_requests(versions, request.state.metrics))


@router.get(
    "/models/{name}/versions/{version}/stats",
    operation_id="v2_version_statistics",
    summary="What has a version of a model done?",
)
@declare(key_scope="predict", errors=(ModelNotFoundError,))
async def version_statistics(request: Request, model: Version) -> Statistics:
    """Counts and times of a version since the process started."""
    return Statistics.model_validate(count_requests([model], request.state.metrics))


def _metadata(request: Request, model: ServedModel) -> ModelMetadataDocument:
    classifier: Classifier = request.state.classifier
    versions = classifier.catalog.versions(model.metadata.name)
    return ModelMetadataDocument.model_validate(describe_model(model, versions))
