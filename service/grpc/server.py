"""The gRPC server; it runs as long as its context."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

from grpc_health.v1.health_pb2_grpc import add_HealthServicer_to_server

from service.errors import SettingError
from service.grpc.call_guard import CallGuard
from service.grpc.health import HealthServicer
from service.grpc.message_reader import MessageReader
from service.grpc.open_inference_pb2_grpc import add_GRPCInferenceServiceServicer_to_server
from service.grpc.servicer import InferenceServicer
from service.grpc.unknown_methods import make_server
from service.http.body_budget import BodyBudget
from service.http.process_memory import ProcessMemory
from service.limits import RequestLimits
from service.telemetry.metrics import RequestMetrics

if TYPE_CHECKING:
    from service.access import AccessControl

logger = logging.getLogger(__name__)

_MESSAGE_OVERHEAD_BYTES = 65_536
_SPARE_BYTES = 16 << 20
_OPTIONS = (
    ("grpc.max_send_message_length", -1),
    # Most bytes of a message that are received before it is read.
    ("grpc.http2.lookahead_bytes", 65_536),
    ("grpc.http2.bdp_probe", 0),
    ("grpc.max_concurrent_streams", 1024),
    # Pings find clients that have disappeared; connections without a handshake are closed.
    ("grpc.server_handshake_timeout_ms", 10_000),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.max_connection_idle_ms", 600_000),
    # Ends calls whose client answers pings but does not read; nothing else would.
    ("grpc.max_connection_age_ms", 1_800_000),
    ("grpc.max_connection_age_grace_ms", 60_000),
)


def _is_worth_a_line(record: logging.LogRecord) -> bool:
    """Leaves out metadata that is not UTF-8, which may contain a key, and clients that leave before their answer."""
    return not str(record.msg).startswith(("Invalid encoding", "ExecuteBatchError"))


class GrpcLimits(NamedTuple):
    """The limits of calls.

    Attributes:
        request: of each call.
        max_body_bytes_in_flight: most bytes of all messages at once.
        max_calls: most calls at once.
        drain_delay_s: how long to go on accepting calls once the process is told to stop.
        drain_timeout_s: how long calls in flight may then take to finish.
    """

    request: RequestLimits
    max_body_bytes_in_flight: int
    max_calls: int
    drain_delay_s: float
    drain_timeout_s: float


@asynccontextmanager
async def serve(
    servicer: InferenceServicer,
    health: HealthServicer,
    drain: asyncio.Event,
    *,
    host: str,
    port: int,
    is_shared: bool,
    limits: GrpcLimits,
    budget: BodyBudget,
    access: "AccessControl | None",
    requests: RequestMetrics,
) -> AsyncIterator[None]:
    """Serves until the context ends. It drains once ``drain`` is set, at the same time as HTTP.

    Args:
        servicer: answers the calls.
        health: answers calls about health.
        drain: set once the process is told to stop.
        host: address to listen on.
        port: TCP port; 0 takes a free one.
        is_shared: whether other processes may listen on this port.
        limits: of the calls.
        budget: limits the bytes that all requests hold.
        access: checks API keys; None where no keys are set.
        requests: counts the calls.

    Raises:
        SettingError: the port cannot be listened on.
    """
    logging.getLogger("grpc._cython.cygrpc").addFilter(_is_worth_a_line)
    longest = limits.request.max_body_bytes + _MESSAGE_OVERHEAD_BYTES
    reader = MessageReader(
        budget,
        ProcessMemory(spare_bytes=_SPARE_BYTES),
        longest=longest,
        most_grown_bytes=limits.max_body_bytes_in_flight,
        timeout_s=limits.request.timeout_s,
    )
    server = make_server(
        (*_OPTIONS, ("grpc.max_receive_message_length", longest), ("grpc.so_reuseport", int(is_shared))),
        limits.max_calls,
    )
    guard = CallGuard(server, access, reader, limits.request.max_images, requests)
    add_GRPCInferenceServiceServicer_to_server(servicer, guard)
    add_HealthServicer_to_server(health, guard)
    address = f"[{host}]" if ":" in host else host
    try:
        bound = server.add_insecure_port(f"{address}:{port}")
    except RuntimeError:
        raise SettingError(f"grpc_port: cannot listen on {address}:{port}; is it taken?") from None
    health.begin()
    await server.start()
    logger.info("gRPC serves at %s:%d", address, bound)

    async def drain_calls() -> None:
        await drain.wait()
        health.drain()
        await asyncio.sleep(limits.drain_delay_s)
        health.end()
        await server.stop(limits.drain_timeout_s)

    draining = asyncio.create_task(drain_calls())
    try:
        yield
    finally:
        if not drain.is_set():
            draining.cancel()
            await server.stop(None)
        await asyncio.gather(draining, return_exceptions=True)
