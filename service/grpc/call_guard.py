"""Checks every call before its method: key, limits and message; and turns errors into gRPC statuses.

::

    call ─> key and rate, by metadata only ──> message read within limits ─> parsed ─> method ─> answer
                    │                                    │                     │          │
                    └────────────────────────────────────┴─────────────────────┴──────────┴─> status of the error

gRPC's own handlers read and parse a message before any check. So each method is registered with a stream of bytes as
its request. The guard reads the one message of the stream after the checks. Clients do not see a difference.
"""

import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import grpc
from google.protobuf.message import DecodeError

from service.declarations import declaration_of
from service.errors import MalformedRequestError, OverloadedError, TooLargeError
from service.grpc import open_inference_pb2 as pb
from service.grpc.keys import read_key
from service.grpc.message_reader import SMALL_BYTES, MessageReader
from service.grpc.statuses import status_of
from service.grpc.wire import check_parts
from service.telemetry.failure import Failure
from service.telemetry.metrics import RequestMetrics

if TYPE_CHECKING:
    from service.access import AccessControl

logger = logging.getLogger(__name__)

_Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"  # generic in its stubs only
_Messages: TypeAlias = AsyncIterator[bytes]

_MOST_STREAMS: Final = 64
_RETRY_STREAM_AFTER_S: Final = 10.0
_PARTS_BESIDE_IMAGES: Final = 256


class CallGuard:
    """Wraps every method of a server. Services are added to this object instead of to the server.

    Args:
        server: gets the wrapped methods.
        access: checks API keys; None where no keys are set.
        reader: reads the messages.
        max_images: most pictures in one message.
        requests: counts the calls.
    """

    def __init__(
        self,
        server: grpc.aio.Server,
        access: "AccessControl | None",
        reader: MessageReader,
        max_images: int,
        requests: RequestMetrics,
    ) -> None:
        self._server = server
        self._access = access
        self._reader = reader
        self._max_parts = max_images + _PARTS_BESIDE_IMAGES
        self._requests = requests
        self._streams = 0

    def add_generic_rpc_handlers(self, handlers: object) -> None:
        """Called by generated code; does nothing, since the next method gets the same handlers."""

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Any]) -> None:
        """Called by generated code with the methods of a service."""
        guarded = {name: self._guarded(handler) for name, handler in handlers.items()}
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, guarded),))
        self._server.add_registered_method_handlers(service, guarded)

    def _guarded(self, handler: Any) -> Any:
        if handler.unary_unary is not None:
            return grpc.stream_unary_rpc_method_handler(self._answering(handler))
        return grpc.stream_stream_rpc_method_handler(
            self._streaming(handler), response_serializer=handler.response_serializer
        )

    def _answering(self, handler: Any) -> Callable[[_Messages, _Context], Awaitable[bytes]]:
        async def reply(_messages: _Messages, context: _Context) -> bytes:
            started_at = time.perf_counter()
            try:
                await self._admit(handler.unary_unary, context)
                answer = await self._answer(handler, context)
            except grpc.aio.AbortError:
                raise
            except Exception as error:  # noqa: BLE001  for any error, the client gets a status
                self._tell(error, context, time.perf_counter() - started_at)
                return b""
            self._requests.answered_call(grpc.StatusCode.OK.name, time.perf_counter() - started_at)
            return answer

        return reply

    def _streaming(self, handler: Any) -> Callable[[_Messages, _Context], Awaitable[None]]:
        async def stream(_messages: _Messages, context: _Context) -> None:
            try:
                await self._admit(handler.unary_stream, context)
                with self._one_stream():
                    with self._reader.hold() as held:
                        request = self._parse(handler, await self._reader.read(context, held))
                    await handler.unary_stream(request, context)
            except grpc.aio.AbortError:
                raise
            except Exception as error:  # noqa: BLE001  as above
                self._tell(error, context, None)

        return stream

    @contextmanager
    def _one_stream(self) -> Iterator[None]:
        """Counts a call of unlimited duration."""
        if self._streams >= _MOST_STREAMS:
            raise OverloadedError(f"{_MOST_STREAMS} calls are watching already", _RETRY_STREAM_AFTER_S)
        self._streams += 1
        try:
            yield
        finally:
            self._streams -= 1

    async def _admit(self, method: Callable[..., object], context: _Context) -> None:
        needed = declaration_of(method).key_scope
        if self._access is not None and needed is not None:
            await self._access.admit(read_key(context.invocation_metadata() or ()), needed)

    async def _answer(self, handler: Any, context: _Context) -> bytes:
        with self._reader.hold() as held:
            request = self._parse(handler, await self._reader.read(context, held))
            held.set(held.count // 2)  # the serialised form is freed
            answer: bytes = handler.response_serializer(await handler.unary_unary(request, context))
        if len(answer) > SMALL_BYTES:  # counted until it is sent, since a client may read it slowly
            sending = self._reader.hold()
            sending.set(len(answer))
            context.add_done_callback(lambda _: sending.set(0))  # type: ignore[arg-type]  # any callable will do
        return answer

    def _parse(self, handler: Any, message: bytes) -> Any:
        if len(message) > SMALL_BYTES:
            if handler.request_deserializer != pb.ModelInferRequest.FromString:
                raise TooLargeError(
                    f"the message has {len(message)} bytes; "
                    f"at most {SMALL_BYTES} are allowed in a call that sends no pictures"
                )
            check_parts(message, self._max_parts)
        try:
            return handler.request_deserializer(message)
        except DecodeError:
            raise MalformedRequestError("the message is not the one that this method takes") from None

    def _tell(self, error: Exception, context: _Context, seconds: float | None) -> None:
        """Sets the call's status from an error, and counts it. The text of an unexpected error is only in the log."""
        failure = Failure.of(error)
        status = status_of(error)
        if failure.traceback is not None:
            logger.error({"message": "a call failed", "reason": failure.reason, "exc_info": failure.traceback})
        self._requests.answered_call(status.code.name, seconds)
        self._requests.failed(failure, HTTPStatus.INTERNAL_SERVER_ERROR)
        context.set_code(status.code)
        context.set_details(status.details)
        context.set_trailing_metadata(status.trailing)
