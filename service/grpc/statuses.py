"""Errors as gRPC statuses: the one table from domain errors to codes, and the interceptor that uses it."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import grpc

from service.errors import (
    ConvoyError,
    DeadlineExceededError,
    ForbiddenError,
    InferenceFailedError,
    InvalidImagesError,
    MalformedRequestError,
    ModelControlOffError,
    ModelNotFoundError,
    ModelRefusedError,
    OverloadedError,
    ProviderUnavailableError,
    RateLimitedError,
    TooLargeError,
    UnauthenticatedError,
    UnavailableError,
)

logger = logging.getLogger(__name__)

CODES: dict[type[ConvoyError], grpc.StatusCode] = {
    MalformedRequestError: grpc.StatusCode.INVALID_ARGUMENT,
    InvalidImagesError: grpc.StatusCode.INVALID_ARGUMENT,
    TooLargeError: grpc.StatusCode.INVALID_ARGUMENT,
    ModelNotFoundError: grpc.StatusCode.NOT_FOUND,
    UnauthenticatedError: grpc.StatusCode.UNAUTHENTICATED,
    ForbiddenError: grpc.StatusCode.PERMISSION_DENIED,
    RateLimitedError: grpc.StatusCode.RESOURCE_EXHAUSTED,
    ModelControlOffError: grpc.StatusCode.PERMISSION_DENIED,
    ModelRefusedError: grpc.StatusCode.FAILED_PRECONDITION,
    OverloadedError: grpc.StatusCode.UNAVAILABLE,
    UnavailableError: grpc.StatusCode.UNAVAILABLE,
    DeadlineExceededError: grpc.StatusCode.DEADLINE_EXCEEDED,
    InferenceFailedError: grpc.StatusCode.INTERNAL,
    ProviderUnavailableError: grpc.StatusCode.INTERNAL,
}

_Details = grpc.HandlerCallDetails
# Text, because these classes are generic in their stubs only.
_Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any] | None"
_Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class StatusInterceptor(grpc.aio.ServerInterceptor):
    """Ends a call that raised with the status that its error means. What is unexpected is logged and kept to itself."""

    async def intercept_service(
        self, continuation: Callable[[_Details], Awaitable[_Handler]], handler_call_details: _Details
    ) -> _Handler:
        """Wraps the method that a call is for."""
        handler: Any = await continuation(handler_call_details)
        if handler is None or handler.unary_unary is None:
            return None  # gRPC answers UNIMPLEMENTED

        async def told(request: Any, context: _Context) -> Any:
            try:
                return await handler.unary_unary(request, context)
            except ConvoyError as error:
                await _abort(error, context)
            except grpc.aio.AbortError:
                raise
            except Exception as error:
                logger.exception("a gRPC call failed", exc_info=error)
                await context.abort(grpc.StatusCode.INTERNAL, "the service failed on this request; its log says how")

        return grpc.unary_unary_rpc_method_handler(
            told,
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )


async def _abort(error: ConvoyError, context: _Context) -> None:
    code = next((CODES[kind] for kind in type(error).__mro__ if kind in CODES), grpc.StatusCode.UNKNOWN)
    if code is grpc.StatusCode.INTERNAL:
        logger.error("%s", error, exc_info=error.__cause__ or error)
    trailing: tuple[tuple[str, str], ...] = ()
    if isinstance(error, OverloadedError | RateLimitedError):
        # gRPC's own name for Retry-After: clients with a retry policy wait so long.
        trailing = (("grpc-retry-pushback-ms", str(max(1, round(error.retry_after_s * 1e3)))),)
    await context.abort(code, str(error), trailing)
