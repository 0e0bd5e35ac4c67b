"""Base class of the two endpoints that classify. They are called before the FastAPI app and answer their own errors."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeVar

from service.api.context import context_of
from service.api.work_thread import WorkThread
from service.errors import (
    ClientGoneError,
    DeadlineExceededError,
    InferenceFailedError,
    InvalidImagesError,
    MalformedRequestError,
    ModelNotFoundError,
    OverloadedError,
    SlowBodyError,
    TooLargeError,
    UnavailableError,
    UnsupportedMediaTypeError,
)
from service.http.asgi import Receive, Reply, Scope, Send
from service.http.body_budget import UNCOUNTED_BYTES, BodyBudget
from service.http.connection import Connection
from service.limits import RequestLimits
from service.telemetry.failure import Failure, release_frames

Result = TypeVar("Result")

CLASSIFYING_ERRORS = (
    MalformedRequestError,
    ModelNotFoundError,
    SlowBodyError,
    TooLargeError,
    UnsupportedMediaTypeError,
    InvalidImagesError,
    InferenceFailedError,
    OverloadedError,
    UnavailableError,
    DeadlineExceededError,
)
"""The errors that both endpoints may answer with."""


class ClassifyingEndpoint(ABC):
    """Answers requests that bring pictures.

    Args:
        limits: of a request.
        budget: limits the bytes that all requests hold.
        work_thread: does work that would block the event loop for too long.
    """

    def __init__(self, limits: RequestLimits, budget: BodyBudget, work_thread: WorkThread) -> None:
        self._limits = limits
        self._budget = budget
        self._work_thread = work_thread

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request; every error becomes an answer.

        Args:
            scope: of the request; its context gets the result or the failure.
            receive: receives its body.
            send: sends its answer.
        """
        try:
            with Connection(receive, self._budget) as connection:
                reply = await self._classify(scope, connection)
            if len(reply.body) > UNCOUNTED_BYTES:
                self._budget.require(len(reply.body))
        except ClientGoneError as error:
            release_frames(error)
            return
        except Exception as error:  # noqa: BLE001  every error has its answer
            context_of(scope).failure = Failure.of(error)
            reply = self._failure(error)
        await reply.send(send)

    async def _do(self, work: Callable[[], Result], connection: Connection, deadline: float) -> Result:
        """Runs work in the work thread, because it would block the event loop for too long."""
        return await self._work_thread.run(work, deadline=deadline, is_abandoned=connection.is_gone)

    @abstractmethod
    async def _classify(self, scope: Scope, connection: Connection) -> Reply:
        """Makes the answer; an exception becomes an error answer."""

    @abstractmethod
    def _failure(self, error: Exception) -> Reply:
        """Makes an error document of the endpoint's own kind."""
