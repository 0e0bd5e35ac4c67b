"""``grpc.health.v1``, the health check of Kubernetes' gRPC probes, Envoy and other clients.

The services ``""`` and ``inference.GRPCInferenceService`` are serving until the process is told to stop. Each model has
two names, such as ``cifar10`` and ``cifar10/2``; an unloaded model is not serving, and an unknown one is not found.

The servicer of grpcio-health-checking is not used: it writes to a watching client while it holds a lock that every
change of the state needs, so one client that does not read would stop all changes (1.81.1).

Source: https://github.com/grpc/grpc/blob/master/doc/health-checking.md.
"""

import asyncio
from typing import Any, Final, TypeAlias

import grpc
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from service.declarations import declare
from service.models.catalog import ModelCatalog

_Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"  # generic in its stubs only

_SERVICES: Final = ("", "inference.GRPCInferenceService")
_MOST_WITHDRAWN: Final = 1024


class HealthServicer(health_pb2_grpc.HealthServicer):  # type: ignore[misc]  # it has no types
    """Answers from the catalog, and sends its changes to watching clients.

    It knows the last 1,024 names of models that are no longer served; earlier ones are unknown again.

    Args:
        catalog: the served models.
    """

    def __init__(self, catalog: ModelCatalog) -> None:
        self._catalog = catalog
        self._states: dict[str, int] = {}
        self._change = asyncio.Event()  # set at the next change; each change makes a new one
        self._is_draining = self._has_ended = False

    def begin(self) -> None:
        """Reads the catalog now and after every change."""
        self._take_in()
        self._catalog.subscribe(self._take_in)

    def drain(self) -> None:
        """Sets every service to "not serving", whatever the catalog's later changes are."""
        self._is_draining = True
        self._tell(dict.fromkeys(self._states, HealthCheckResponse.NOT_SERVING))

    def end(self) -> None:
        """Ends the calls of watching clients, which would otherwise take as long as the server waits for calls."""
        self._has_ended = True
        self._tell(self._states)

    @declare(key_scope=None)
    async def Check(self, request: HealthCheckRequest, context: _Context) -> HealthCheckResponse:
        """The state of a service now."""
        state = self._states.get(request.service)
        if state is None:
            await context.abort(grpc.StatusCode.NOT_FOUND)
        return HealthCheckResponse(status=state)

    @declare(key_scope=None)
    async def Watch(self, request: HealthCheckRequest, context: _Context) -> None:
        """The state of a service, and every later state; a client that reads slowly gets only the newest."""
        sent: int | None = None
        while True:
            change = self._change  # taken before the state, so that a change during the write is seen
            state = self._states.get(request.service, HealthCheckResponse.SERVICE_UNKNOWN)
            if state != sent:
                await context.write(HealthCheckResponse(status=state))
                sent = state
            if self._has_ended:
                return
            await change.wait()

    def _take_in(self) -> None:
        if self._is_draining:
            return
        names = {model.metadata.name for model in self._catalog}
        served = {*_SERVICES, *names, *(f"{model.metadata.name}/{model.metadata.version}" for model in self._catalog)}
        withdrawn = [name for name in self._states if name not in served][-_MOST_WITHDRAWN:]  # the newest are last
        self._tell(
            dict.fromkeys(withdrawn, HealthCheckResponse.NOT_SERVING)
            | dict.fromkeys(served, HealthCheckResponse.SERVING)
        )

    def _tell(self, states: dict[str, int]) -> None:
        self._states = states
        self._change.set()
        self._change = asyncio.Event()
