"""The gRPC server: on while its context is."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import grpc

from service.grpc.keys import KeyInterceptor
from service.grpc.open_inference_pb2_grpc import add_GRPCInferenceServiceServicer_to_server
from service.grpc.servicer import InferenceServicer
from service.grpc.statuses import StatusInterceptor

if TYPE_CHECKING:
    from service.access import AccessControl

logger = logging.getLogger(__name__)

_MESSAGE_OVERHEAD_BYTES = 65_536


@asynccontextmanager
async def serve(
    servicer: InferenceServicer,
    *,
    host: str,
    port: int,
    max_body_bytes: int,
    drain_timeout_s: float,
    access: "AccessControl | None",
) -> AsyncIterator[None]:
    """Serves until the context ends; calls in flight are then answered first.

    Args:
        servicer: answers the calls.
        host: address to listen on.
        port: TCP port; 0 takes a free one.
        max_body_bytes: longest tensor in a message.
        drain_timeout_s: how long calls in flight may take to finish.
        access: asks calls for keys; None where none are set.

    Raises:
        RuntimeError: the port cannot be listened on.
    """
    limit = max_body_bytes + _MESSAGE_OVERHEAD_BYTES
    server = grpc.aio.server(
        interceptors=(StatusInterceptor(),) if access is None else (StatusInterceptor(), KeyInterceptor(access)),
        options=(("grpc.max_receive_message_length", limit), ("grpc.max_send_message_length", -1)),
    )
    add_GRPCInferenceServiceServicer_to_server(servicer, server)
    address = f"[{host}]" if ":" in host else host
    bound = server.add_insecure_port(f"{address}:{port}")
    await server.start()
    logger.info("gRPC serves at %s:%d", address, bound)
    try:
        yield
    finally:
        await server.stop(drain_timeout_s)
