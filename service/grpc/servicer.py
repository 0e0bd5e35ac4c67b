"""The calls of the protocol; each calls one method of the data plane, as the REST routes do."""

import time
from collections.abc import Mapping
from typing import Any, TypeAlias

import grpc
from google.protobuf.json_format import ParseDict

from service.declarations import declare
from service.errors import MalformedRequestError, ModelNotFoundError
from service.grpc import open_inference_pb2 as pb
from service.grpc.messages import read_request, write_answer
from service.grpc.open_inference_pb2_grpc import GRPCInferenceServiceServicer
from service.open_inference.dataplane import DataPlane

_Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"  # generic in its stubs only


class InferenceServicer(GRPCInferenceServiceServicer):
    """Answers the protocol's calls.

    Args:
        plane: the data plane, shared with REST.
        timeout_s: time limit of a call without its own.
    """

    def __init__(self, plane: DataPlane, *, timeout_s: float) -> None:
        self._plane = plane
        self._timeout_s = timeout_s

    @declare(key_scope=None)
    async def ServerLive(self, request: pb.ServerLiveRequest, context: _Context) -> pb.ServerLiveResponse:
        """True whenever the event loop runs."""
        return pb.ServerLiveResponse(live=True)

    @declare(key_scope=None)
    async def ServerReady(self, request: pb.ServerReadyRequest, context: _Context) -> pb.ServerReadyResponse:
        """False once the process is told to stop."""
        return pb.ServerReadyResponse(ready=self._plane.is_ready())

    @declare(key_scope="predict")
    async def ModelReady(self, request: pb.ModelReadyRequest, context: _Context) -> pb.ModelReadyResponse:
        """Whether a model answers."""
        try:
            model = self._plane.find(request.name, request.version or None)
        except ModelNotFoundError:
            return pb.ModelReadyResponse(ready=False)
        return pb.ModelReadyResponse(ready=self._plane.is_model_ready(model))

    @declare(key_scope="predict")
    async def ServerMetadata(self, request: pb.ServerMetadataRequest, context: _Context) -> pb.ServerMetadataResponse:
        """Name, version, extensions."""
        return ParseDict(self._plane.describe_server(), pb.ServerMetadataResponse())

    @declare(key_scope="predict")
    async def ModelMetadata(self, request: pb.ModelMetadataRequest, context: _Context) -> pb.ModelMetadataResponse:
        """Inputs and outputs of a model."""
        return ParseDict(self._plane.describe(request.name, request.version or None), pb.ModelMetadataResponse())

    @declare(key_scope="predict")
    async def ModelConfig(self, request: pb.ModelConfigRequest, context: _Context) -> pb.ModelConfigResponse:
        """How a model is served."""
        config = self._plane.configure(request.name, request.version or None)
        return ParseDict({"config": config}, pb.ModelConfigResponse())

    @declare(key_scope="predict")
    async def ModelStatistics(
        self, request: pb.ModelStatisticsRequest, context: _Context
    ) -> pb.ModelStatisticsResponse:
        """Counts and times of models."""
        counts = await self._plane.count(request.name or None, request.version or None)
        return ParseDict(counts, pb.ModelStatisticsResponse())

    @declare(key_scope="predict")
    async def ModelInfer(self, request: pb.ModelInferRequest, context: _Context) -> pb.ModelInferResponse:
        """Classifies pictures."""
        started = time.perf_counter()
        model = self._plane.find(request.model_name, request.model_version or None)
        wanted = read_request(request)
        limits = (self._timeout_s, context.time_remaining(), wanted.timeout_s)
        result, outputs = await self._plane.infer(
            model,
            wanted,
            deadline=started + min(limit for limit in limits if limit is not None),
            is_abandoned=context.cancelled,
        )
        return write_answer(result, wanted, outputs)

    @declare(key_scope="predict")
    async def RepositoryIndex(
        self, request: pb.RepositoryIndexRequest, context: _Context
    ) -> pb.RepositoryIndexResponse:
        """Lists the models of the repository."""
        models = await self._plane.index(only_ready=request.ready)
        return ParseDict({"models": models}, pb.RepositoryIndexResponse())

    @declare(key_scope="control")
    async def RepositoryModelLoad(
        self, request: pb.RepositoryModelLoadRequest, context: _Context
    ) -> pb.RepositoryModelLoadResponse:
        """Loads a model, or loads it again."""
        await self._plane.load(request.model_name, _version(request.parameters))
        return pb.RepositoryModelLoadResponse()

    @declare(key_scope="control")
    async def RepositoryModelUnload(
        self, request: pb.RepositoryModelUnloadRequest, context: _Context
    ) -> pb.RepositoryModelUnloadResponse:
        """Unloads a model."""
        await self._plane.unload(request.model_name, _version(request.parameters))
        return pb.RepositoryModelUnloadResponse()


def _version(parameters: Mapping[str, pb.ModelRepositoryParameter]) -> str | None:
    unknown = [key for key in parameters if key not in ("version", "unload_dependents")]
    if unknown:
        raise MalformedRequestError(f"unknown parameter {unknown[0][:64]!r}; known: version")
    return parameters["version"].string_param or None if "version" in parameters else None
