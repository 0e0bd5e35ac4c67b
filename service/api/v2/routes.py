"""The protocol's routes about the server and its models; each calls one method of the data plane."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request, Response

from service.api.context import context_of
from service.api.v2.schemas import (
    ModelConfiguration,
    ModelMetadataDocument,
    ModelReady,
    ServerLive,
    ServerMetadata,
    ServerReady,
    Statistics,
)
from service.declarations import declare
from service.errors import ModelNotFoundError, OverloadedError
from service.models.catalog import ServedModel
from service.open_inference.dataplane import DataPlane

router = APIRouter(prefix="/v2", tags=["open inference protocol"])


def find_data_plane(request: Request) -> DataPlane:
    """The data plane of the service."""
    return context_of(request.scope).app.plane


Plane = Annotated[DataPlane, Depends(find_data_plane)]
Name = Annotated[str, Path(description="Name of the model.", examples=["cifar10"])]
Version = Annotated[str, Path(description="Version of the model.", examples=["1"])]
_NOT_READY: dict[int | str, dict[str, Any]] = {503: {"model": ModelReady, "description": "It could not be loaded."}}


@router.get("", operation_id="v2_server_metadata", summary="What is this server?")
@declare(key_scope="predict")
async def server_metadata(plane: Plane) -> ServerMetadata:
    """Name, version and the supported extensions of the protocol."""
    return ServerMetadata.model_validate(plane.describe_server())


@router.get("/health/live", operation_id="v2_server_live", summary="Is the process alive?")
@declare(key_scope=None)
async def server_live() -> ServerLive:
    """True whenever the event loop runs."""
    return ServerLive(live=True)


@router.get(
    "/health/ready",
    operation_id="v2_server_ready",
    summary="Should requests be sent here?",
    responses={503: {"model": ServerReady, "description": "Shutting down."}},
)
@declare(key_scope=None)
async def server_ready(plane: Plane, response: Response) -> ServerReady:
    """False, with status 503, once the process is told to stop."""
    ready = plane.is_ready()
    response.status_code = 200 if ready else 503
    return ServerReady(ready=ready)


@router.get("/models/stats", operation_id="v2_statistics", summary="What have the models done?")
@declare(key_scope="predict", errors=(OverloadedError,))
async def statistics(plane: Plane) -> Statistics:
    """Counts and times of every model since the process started."""
    return Statistics.model_validate(await plane.count())


@router.get("/models/{name}", operation_id="v2_model_metadata", summary="What does a model take and give?")
@declare(key_scope="predict", errors=(ModelNotFoundError,))
async def model_metadata(plane: Plane, name: Name) -> ModelMetadataDocument:
    """Inputs and outputs of the default version, and which versions answer."""
    return ModelMetadataDocument.model_validate(plane.describe(name))


@router.get(
    "/models/{name}/versions/{version}",
    operation_id="v2_version_metadata",
    summary="What does a version of a model take and give?",
)
@declare(key_scope="predict", errors=(ModelNotFoundError,))
async def version_metadata(plane: Plane, name: Name, version: Version) -> ModelMetadataDocument:
    """Inputs and outputs of a version, and which versions answer."""
    return ModelMetadataDocument.model_validate(plane.describe(name, version))


@router.get(
    "/models/{name}/ready",
    operation_id="v2_model_ready",
    summary="Does a model answer?",
    responses=_NOT_READY,
)
@declare(key_scope="predict", errors=(ModelNotFoundError,))
async def model_ready(plane: Plane, response: Response, name: Name) -> ModelReady:
    """Whether the default version answers; a model that is not served is not found."""
    return _tell_ready(plane, response, plane.find(name))


@router.get(
    "/models/{name}/versions/{version}/ready",
    operation_id="v2_version_ready",
    summary="Does a version of a model answer?",
    responses=_NOT_READY,
)
@declare(key_scope="predict", errors=(ModelNotFoundError,))
async def version_ready(plane: Plane, response: Response, name: Name, version: Version) -> ModelReady:
    """Whether a version answers; one that is not served is not found."""
    return _tell_ready(plane, response, plane.find(name, version))


def _tell_ready(plane: DataPlane, response: Response, model: ServedModel) -> ModelReady:
    is_ready = plane.is_model_ready(model)
    response.status_code = 200 if is_ready else 503
    return ModelReady(name=model.metadata.name, ready=is_ready)


@router.get(
    "/models/{name}/config",
    operation_id="v2_model_configuration",
    summary="How is a model served?",
    response_model_exclude_none=True,
)
@declare(key_scope="predict", errors=(ModelNotFoundError,))
async def model_configuration(plane: Plane, name: Name) -> ModelConfiguration:
    """The configuration, in the terms of the model configuration extension."""
    return ModelConfiguration.model_validate(plane.configure(name))


@router.get(
    "/models/{name}/versions/{version}/config",
    operation_id="v2_version_configuration",
    summary="How is a version of a model served?",
    response_model_exclude_none=True,
)
@declare(key_scope="predict", errors=(ModelNotFoundError,))
async def version_configuration(plane: Plane, name: Name, version: Version) -> ModelConfiguration:
    """The configuration, in the terms of the model configuration extension."""
    return ModelConfiguration.model_validate(plane.configure(name, version))


@router.get("/models/{name}/stats", operation_id="v2_model_statistics", summary="What has a model done?")
@declare(key_scope="predict", errors=(ModelNotFoundError, OverloadedError))
async def model_statistics(plane: Plane, name: Name) -> Statistics:
    """Counts and times of each version since the process started."""
    return Statistics.model_validate(await plane.count(name))


@router.get(
    "/models/{name}/versions/{version}/stats",
    operation_id="v2_version_statistics",
    summary="What has a version of a model done?",
)
@declare(key_scope="predict", errors=(ModelNotFoundError, OverloadedError))
async def version_statistics(plane: Plane, name: Name, version: Version) -> Statistics:
    """Counts and times of a version since the process started."""
    return Statistics.model_validate(await plane.count(name, version))
