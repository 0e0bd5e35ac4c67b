"""One request and its answer on an HTTP/1.1 connection, as an ASGI application sees them.

It does what uvicorn's ``RequestResponseCycle`` does, with less work for each request: no event object unless the
application waits, no copy of a body that came in one piece, one check of the whole head, one write for head and body
(`docs/decisions/0013-an-own-request-cycle.md` has the figures). An answer counts as complete when the kernel has taken
all of it, and the next request on the connection begins only then.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence

from service.errors import OverloadedError
from service.http.answer_head import encode_head
from service.http.asgi import ASGIApp, Headers, Message, Scope
from service.http.body_budget import UNCOUNTED_BYTES, BodyBudget
from service.http.flow import Flow

logger = logging.getLogger(__name__)

_SERVICE_UNAVAILABLE = 503
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_MOST_COPIED_BYTES = 65_536  # longer bodies are written beside their head, not joined to it


class Exchange:
    """One request and its answer.

    Args:
        scope: ASGI's scope of the request.
        transport: of the connection.
        flow: flow control of the connection.
        default_headers: sent with every answer.
        budget: counts the part of the body that has arrived and that the application has not yet received.
        tasks: the tasks of all requests in flight.
        keep_alive: whether the connection may be used again.
        expects_continue: whether the client waits for ``100 Continue`` before it sends its body.
        on_answered: called with the exchange when the kernel has taken the whole answer.

    Attributes:
        body: the part that has arrived and that the application has not yet received.
        more_body: whether the body is not complete yet.
        disconnected: whether the client has closed the connection.
        task: runs the application; set when it begins.
        response_started: whether the application has sent a head.
        response_complete: whether the kernel has taken the whole answer.
        refused: whether the answer is 503.
    """

    __slots__ = (
        "_budget",
        "_counted_bytes",
        "_default_headers",
        "_expects_continue",
        "_flow",
        "_has_overflowed",
        "_head",
        "_is_chunked",
        "_left",
        "_on_answered",
        "_received_all",
        "_scope",
        "_tasks",
        "_transport",
        "_waiter",
        "body",
        "disconnected",
        "keep_alive",
        "more_body",
        "refused",
        "response_complete",
        "response_started",
        "task",
    )

    def __init__(
        self,
        scope: Scope,
        transport: asyncio.Transport,
        flow: Flow,
        default_headers: Headers,
        *,
        budget: BodyBudget,
        tasks: set[asyncio.Task[None]],
        keep_alive: bool,
        expects_continue: bool,
        on_answered: "Callable[[Exchange], None]",
    ) -> None:
        self._scope = scope
        self._transport = transport
        self._flow = flow
        self._default_headers = default_headers
        self._budget = budget
        self._expects_continue = expects_continue
        self._on_answered = on_answered
        self._tasks = tasks
        self._head = b""
        self._left = 0
        self._is_chunked = False
        self._received_all = False
        self._counted_bytes = 0
        self._has_overflowed = False
        self.body = b""
        self.more_body = True
        self.disconnected = False
        self.keep_alive = keep_alive
        self.response_started = False
        self.response_complete = False
        self.refused = False
        self._waiter: asyncio.Future[None] | None = None
        self.task: asyncio.Task[None]

    def is_alone(self) -> bool:
        """Whether no other request is in flight."""
        return len(self._tasks) == 1

    async def run_asgi(self, app: ASGIApp) -> None:
        """Runs an application; sends an answer with status 500 where it fails."""
        try:
            await app(self._scope, self.receive, self.send)
        except asyncio.CancelledError:
            self._transport.abort()
        except Exception:
            logger.exception("an application failed")
            await self._give_up()
        else:
            if not self.response_complete and not self.disconnected:
                logger.error("an application ended without a whole answer")
                await self._give_up()
        finally:
            self._tasks.discard(self.task)
            if self.body:
                self._take()
            self._on_answered = _ignore  # its connection refers to this object: breaks the reference cycle

    def arrive(self, data: bytes) -> None:
        """Adds a part of the body. If the budget has no room for it, drops the body and makes ``receive`` raise."""
        length = len(self.body) + len(data)
        if length > UNCOUNTED_BYTES:
            try:
                self._budget.take(length - self._counted_bytes)
            except OverloadedError:
                self._has_overflowed = True
                self.drop_body()
            else:
                self._counted_bytes = length
        if not self._has_overflowed:
            self.body = self.body + data if self.body else data
        if self._waiter is not None:
            self._wake()

    def end_body(self) -> None:
        """Notes that the body is complete."""
        self.more_body = False
        if self._waiter is not None:
            self._wake()

    def take_body(self) -> bytes | None:
        """The whole body, where it can be taken without waiting."""
        if self.more_body or self.disconnected or self._has_overflowed:
            return None
        return self._take_all()

    def drop_body(self) -> None:
        """Drops the part of the body that the application has not received."""
        if self.body:
            self._take()

    def leave(self) -> None:
        """Tells the application that the client has gone."""
        if not self.response_complete:
            self.disconnected = True
        self._wake()

    async def receive(self) -> Message:
        """ASGI's ``receive``.

        Raises:
            OverloadedError: there was no room for the body.
        """
        if self._expects_continue and not self._transport.is_closing():
            self._expects_continue = False
            self._transport.write(_CONTINUE)
        while not (self.disconnected or self.response_complete):
            if self._has_overflowed:
                raise self._budget.no_room()
            if self.more_body and self.body:
                return {"type": "http.request", "body": self._take(), "more_body": True}
            if not (self.more_body or self._received_all):
                return {"type": "http.request", "body": self._take_all(), "more_body": False}
            self._flow.resume_reading()
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
            self._waiter = None
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """ASGI's ``send``. For the last part of an answer, waits until the kernel has taken it or the client has left.

        Raises:
            RuntimeError: the application breaks the protocol.
        """
        if self._flow.is_write_paused and not self.disconnected:
            await self._flow.drain()
        if self.disconnected:
            return
        kind = message["type"]
        if kind == "http.response.start" and not self.response_started:
            self._start(message["status"], message.get("headers", ()))
        elif kind == "http.response.body" and self.response_started and not self.response_complete:
            is_last = not message.get("more_body", False)
            self._write(message.get("body", b""), is_last=is_last)
            if is_last:
                if self._flow.is_write_paused:
                    await self._flow.drain()
                self._complete()
        else:
            raise RuntimeError(f"{kind} is out of turn")

    def _wake(self) -> None:
        """Makes a waiting :meth:`receive` check its state again."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _take_all(self) -> bytes:
        """Takes the last part of the body, and reads on, so that a client that leaves is noticed."""
        self._received_all = True
        self._flow.resume_reading()  # a long body has paused it
        return self._take()

    def _take(self) -> bytes:
        body, self.body = self.body, b""
        if self._counted_bytes:
            self._budget.give_back(self._counted_bytes)
            self._counted_bytes = 0
        return body

    def _start(self, status: int, headers: Iterable[Sequence[bytes]]) -> None:
        self.refused = status == _SERVICE_UNAVAILABLE
        if self._expects_continue:
            self._expects_continue = False
            # The client may now send its body or the next request, and the two cannot be told apart.
            self.keep_alive = self.keep_alive and not self.more_body
        self._head, self._left, self._is_chunked, self.keep_alive = encode_head(
            status, (*self._default_headers, *headers), self._scope["method"] != "HEAD", self.keep_alive
        )
        self.response_started = True

    def _write(self, body: bytes, *, is_last: bool) -> None:
        if self._scope["method"] == "HEAD":
            body, self._left = b"", 0
        elif self._is_chunked:
            body = (b"%x\r\n%b\r\n" % (len(body), body) if body else b"") + (b"0\r\n\r\n" if is_last else b"")
        else:
            self._left -= len(body)
            if self._left < 0:
                raise RuntimeError("the answer is longer than its Content-Length")
            if is_last and self._left:
                raise RuntimeError("the answer is shorter than its Content-Length")
        head, self._head = self._head, b""
        if head and len(body) > _MOST_COPIED_BYTES:
            self._transport.writelines((head, body))
        else:
            self._transport.write(head + body if head else body)

    def _complete(self) -> None:
        if self.disconnected:
            return
        self.response_complete = True
        if self._waiter is not None:
            self._wake()
        self._on_answered(self)

    async def _give_up(self) -> None:
        if self.response_started or self.disconnected:
            self._transport.close()
            return
        text = b"Internal Server Error"
        length = (b"content-length", b"%d" % len(text))
        headers = [(b"content-type", b"text/plain; charset=utf-8"), length, (b"connection", b"close")]
        await self.send({"type": "http.response.start", "status": 500, "headers": headers})
        await self.send({"type": "http.response.body", "body": text})


def _ignore(_exchange: Exchange) -> None:
    """Replaces the callback of an exchange that has ended."""
