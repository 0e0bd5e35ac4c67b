"""The calls of the protocol, each a thin translation over what REST asks too."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any, TypeAlias

import grpc
from google.protobuf.json_format import ParseDict

from service.classifier import Classifier
from service.declarations import declare
from service.errors import MalformedRequestError, ModelControlOffError, ModelNotFoundError
from service.grpc import open_inference_pb2 as pb
from service.grpc.messages import read_request, write_answer
from service.grpc.open_inference_pb2_grpc import GRPCInferenceServiceServicer
from service.models.catalog import ServedModel
from service.models.model_loader import ModelLoader
from service.open_inference import infer
from service.open_inference.description import (
    configure_model,
    count_requests,
    describe_model,
    describe_server,
    list_repository,
)
from service.telemetry.metrics import Metrics

_Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"  # generic in its stubs only


class InferenceServicer(GRPCInferenceServiceServicer):
    """Answers the protocol's calls.

    Args:
        classifier: that every protocol shares.
        control: of the models.
        metrics: where they are counted.
        drain: set once the process is told to stop.
        version: of the service.
        max_images: most pictures in one request.
        timeout_s: time limit of a call that has none.
        model_control: whether calls may load and unload models.
    """

    def __init__(
        self,
        classifier: Classifier,
        control: ModelLoader,
        metrics: Metrics,
        drain: asyncio.Event,
        *,
        version: str,
        max_images: int,
        timeout_s: float,
        model_control: bool,
    ) -> None:
        self._classifier = classifier
        self._control = control
        self._metrics = metrics
        self._drain = drain
        self._version = version
        self._max_images = max_images
        self._timeout_s = timeout_s
        self._model_control = model_control

    @declare(key_scope=None)
    async def ServerLive(self, request: pb.ServerLiveRequest, context: _Context) -> pb.ServerLiveResponse:
        """Answers whenever the process can answer at all."""
        return pb.ServerLiveResponse(live=True)

    @declare(key_scope=None)
    async def ServerReady(self, request: pb.ServerReadyRequest, context: _Context) -> pb.ServerReadyResponse:
        """False from the moment that the process is told to stop."""
        return pb.ServerReadyResponse(ready=not self._drain.is_set())

    @declare(key_scope="predict")
    async def ModelReady(self, request: pb.ModelReadyRequest, context: _Context) -> pb.ModelReadyResponse:
        """Whether a model answers."""
        try:
            self._find(request.name, request.version)
        except ModelNotFoundError:
            return pb.ModelReadyResponse(ready=False)
        return pb.ModelReadyResponse(ready=True)

    @declare(key_scope="predict")
    async def ServerMetadata(self, request: pb.ServerMetadataRequest, context: _Context) -> pb.ServerMetadataResponse:
        """Name, version, extensions."""
        return ParseDict(describe_server(self._version), pb.ServerMetadataResponse())

    @declare(key_scope="predict")
    async def ModelMetadata(self, request: pb.ModelMetadataRequest, context: _Context) -> pb.ModelMetadataResponse:
        """Inputs and outputs of a model."""
        model = self._find(request.name, request.version)
        versions = self._classifier.catalog.versions(request.name)
        return ParseDict(describe_model(model, versions), pb.ModelMetadataResponse())

    @declare(key_scope="predict")
    async def ModelConfig(self, request: pb.ModelConfigRequest, context: _Context) -> pb.ModelConfigResponse:
        """How a model is served."""
        config = configure_model(self._find(request.name, request.version), self._max_images)
        return ParseDict({"config": config}, pb.ModelConfigResponse())

    @declare(key_scope="predict")
    async def ModelStatistics(
        self, request: pb.ModelStatisticsRequest, context: _Context
    ) -> pb.ModelStatisticsResponse:
        """What models have done."""
        catalog = self._classifier.catalog
        if request.version:
            models = [self._find(request.name, request.version)]
        else:
            models = catalog.versions(request.name) if request.name else list(catalog)
        return ParseDict(count_requests(models, self._metrics), pb.ModelStatisticsResponse())

    @declare(key_scope="predict")
    async def ModelInfer(self, request: pb.ModelInferRequest, context: _Context) -> pb.ModelInferResponse:
        """Classifies pictures."""
        started = time.perf_counter()
        model = self._find(request.model_name, request.model_version)
        wanted = read_request(request)
        limits = (self._timeout_s, context.time_remaining(), wanted.timeout_s)
        result, outputs = await infer(
            self._classifier,
            model,
            wanted,
            max_images=self._max_images,
            deadline=started + min(limit for limit in limits if limit is not None),
            is_abandoned=context.cancelled,
        )
        return write_answer(result, wanted, outputs)

    @declare(key_scope="predict")
    async def RepositoryIndex(
        self, request: pb.RepositoryIndexRequest, context: _Context
    ) -> pb.RepositoryIndexResponse:
        """Which models there are."""
        models = list_repository(await self._control.index(), only_ready=request.ready)
        return ParseDict({"models": models}, pb.RepositoryIndexResponse())

    @declare(key_scope="control")
    async def RepositoryModelLoad(
        self, request: pb.RepositoryModelLoadRequest, context: _Context
    ) -> pb.RepositoryModelLoadResponse:
        """Loads a model, or loads it anew."""
        self._require_model_control()
        await self._control.load(request.model_name, _version(request.parameters))
        return pb.RepositoryModelLoadResponse()

    @declare(key_scope="control")
    async def RepositoryModelUnload(
        self, request: pb.RepositoryModelUnloadRequest, context: _Context
    ) -> pb.RepositoryModelUnloadResponse:
        """Unloads a model."""
        self._require_model_control()
        await self._control.unload(request.model_name, _version(request.parameters))
        return pb.RepositoryModelUnloadResponse()

    def _find(self, name: str, version: str) -> ServedModel:
        return self._classifier.catalog.find(name, version or None)

    def _require_model_control(self) -> None:
        if not self._model_control:
            raise ModelControlOffError("loading and unloading by request is off; the setting model_control turns it on")


def _version(parameters: Mapping[str, pb.ModelRepositoryParameter]) -> str | None:
    unknown = [key for key in parameters if key not in ("version", "unload_dependents")]
    if unknown:
        raise MalformedRequestError(f"unknown parameter {unknown[0][:64]!r}; known: version")
    return parameters["version"].string_param or None if "version" in parameters else None
