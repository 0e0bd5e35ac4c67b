"""The gRPC side of keys: the same as over HTTP, in the metadata ``authorization`` or ``x-api-key``."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import grpc

from service.declarations import declaration_of

if TYPE_CHECKING:
    from service.access import AccessControl

_Details = grpc.HandlerCallDetails
# Text, because these classes are generic in their stubs only.
_Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any] | None"
_Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class KeyInterceptor(grpc.aio.ServerInterceptor):
    """Lets calls through whose key allows what they ask for. Stands inside what turns errors into statuses.

    Args:
        access: decides.
    """

    def __init__(self, access: "AccessControl") -> None:
        self._access = access

    async def intercept_service(
        self, continuation: Callable[[_Details], Awaitable[_Handler]], handler_call_details: _Details
    ) -> _Handler:
        """Wraps the method that a call is for."""
        handler: Any = await continuation(handler_call_details)
        if handler is None or handler.unary_unary is None:
            return handler  # type: ignore[no-any-return]
        needed = declaration_of(handler.unary_unary).key_scope
        if needed is None:
            return handler  # type: ignore[no-any-return]

        async def guarded(request: Any, context: _Context) -> Any:
            await self._access.admit(_read_key(context), needed)
            return await handler.unary_unary(request, context)

        return grpc.unary_unary_rpc_method_handler(
            guarded,
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )


def _read_key(context: _Context) -> str | None:
    found = {name: value for name, value in context.invocation_metadata() or () if isinstance(value, str)}
    kind, _, token = found.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else found.get("x-api-key")
