"""``grpc.health.v1``, the health check of Kubernetes' gRPC probes, Envoy and other clients.

The services ``""`` and ``inference.GRPCInferenceService`` are serving until the process is told to stop. Each model has
two names, such as ``cifar10`` and ``cifar10/2``; an unloaded model is not serving, and an unknown one is not found.

Source: https://github.com/grpc/grpc/blob/master/doc/health-checking.md.
"""

import asyncio
from typing import Any, TypeAlias

import grpc
from grpc_health.v1.health import aio
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from service.declarations import declare
from service.grpc.open_inference_pb2 import DESCRIPTOR
from service.models.catalog import ModelCatalog

_Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"  # generic in its stubs only


class HealthServicer(aio.HealthServicer):  # type: ignore[misc]  # it has no types
    """Answers from the catalog, and sends its changes to watching clients.

    Args:
        catalog: the served models.
    """

    def __init__(self, catalog: ModelCatalog) -> None:
        super().__init__()
        self._catalog = catalog
        self._known: set[str] = set()
        self._changes: set[asyncio.Task[None]] = set()

    async def begin(self) -> None:
        """Reads the catalog now and after every change."""
        await self.set(DESCRIPTOR.services_by_name["GRPCInferenceService"].full_name, HealthCheckResponse.SERVING)
        await self._take_in()
        self._catalog.subscribe(self._changed)

    @declare(key_scope=None)
    async def Check(self, request: HealthCheckRequest, context: _Context) -> HealthCheckResponse:
        """The state of a service now."""
        return await super().Check(request, context)

    @declare(key_scope=None)
    async def Watch(self, request: HealthCheckRequest, context: _Context) -> None:
        """The state of a service, and every later state."""
        await super().Watch(request, context)

    def _changed(self) -> None:
        task = asyncio.get_running_loop().create_task(self._take_in())
        self._changes.add(task)
        task.add_done_callback(self._changes.discard)

    async def _take_in(self) -> None:
        names = {model.metadata.name for model in self._catalog}
        served = names | {f"{model.metadata.name}/{model.metadata.version}" for model in self._catalog}
        self._known |= served
        for name in self._known:
            is_serving = name in served
            await self.set(name, HealthCheckResponse.SERVING if is_serving else HealthCheckResponse.NOT_SERVING)
