"""Answers calls of methods that no service has, before gRPC's own server reads their names.

gRPC's asyncio server decodes the name of such a method as UTF-8 in the loop that accepts all calls. A name that is not
UTF-8 ends this loop, so one request of a few bytes, without a key, would stop the server (grpcio 1.85.1). Registered
methods are handled elsewhere.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import grpc
from grpc._cython import cygrpc  # type: ignore[attr-defined]  # the only place where it can be done


def make_server(options: Sequence[tuple[str, Any]], max_calls: int) -> grpc.aio.Server:
    """Makes a server that does not stop at any method name.

    Args:
        options: of gRPC's core.
        max_calls: most calls at once.
    """
    server: Any = grpc.aio.server(options=options, maximum_concurrent_rpcs=max_calls)
    server._server = _Server(server._loop, None, (), (), tuple(options), max_calls)  # noqa: SLF001
    return server  # type: ignore[no-any-return]


class _Server(cygrpc.AioServer):  # type: ignore[misc]  # it has no types
    def __init__(self, loop: asyncio.AbstractEventLoop, *args: Any) -> None:
        super().__init__(loop, *args)
        self._event_loop = loop
        self._answers: set[asyncio.Task[None]] = set()

    async def _request_call(self) -> Any:
        """Accepts and answers the calls of unknown methods, and never returns one."""
        while True:
            call = await super()._request_call()
            answer = self._event_loop.create_task(_answer(call, self._event_loop))
            self._answers.add(answer)
            answer.add_done_callback(self._answers.discard)


async def _answer(call: Any, loop: asyncio.AbstractEventLoop) -> None:
    context = cygrpc._ServicerContext(call, None, None, loop)  # noqa: SLF001
    with suppress(Exception):  # abort always raises; that a client has left is ignored
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "there is no such method")
